use super::*;

fn parse_text(text: &str) -> Result<Vec<Job>, String> {
    parse(Path::new("jobs.yml"), text).map_err(|error| error.to_string())
}

fn complains(text: &str, expected: &str) {
    let complaint = parse_text(text).expect_err("must be refused");
    assert!(complaint.starts_with(expected), "{complaint}");
}

#[test]
fn a_full_job() {
    let jobs = parse_text(
        "jobs:\n\
         - name: hourly\n\
         \x20 description: marts\n\
         \x20 schedule: {cron: '5 * * * *', time_zone: Europe/Paris}\n\
         \x20 command: build\n\
         \x20 select: tag:mart\n\
         \x20 exclude: [a, b]\n\
         \x20 vars: {days: 3}\n\
         \x20 retries: 1\n\
         \x20 timeout: 30m\n\
         \x20 threads: 4\n",
    )
    .expect("valid");
    let [job] = jobs.as_slice() else {
        panic!("one job")
    };
    assert_eq!(job.request.select, ["tag:mart"]);
    assert_eq!(job.request.exclude, ["a", "b"]);
    assert_eq!(job.request.timeout_seconds, Some(1_800));
    assert_eq!(job.request.vars["days"], 3);
    assert_eq!(
        job.schedule.as_ref().map(|s| s.time_zone),
        Some(Tz::Europe__Paris)
    );
    assert_eq!(job.overlap, Overlap::Skip);
    let stored = serde_json::to_string(job).expect("json");
    assert_eq!(&serde_json::from_str::<Job>(&stored).expect("json"), job);
}

#[test]
fn complaints_name_the_line() {
    complains(
        "jobs:\n- name: a\n  command: build\n  retry: 3\n",
        "jobs.yml:4: unknown field",
    );
    complains(
        "jobs:\n- name: a\n  command: destroy\n",
        "jobs.yml:3: unknown variant",
    );
    complains(
        "jobs:\n- name: a b\n  command: run\n",
        "jobs.yml:2: `a b` cannot be",
    );
    complains(
        "jobs:\n- {name: a, command: run}\n- {name: a, command: run}\n",
        "jobs.yml:3: there is another job `a`",
    );
    complains(
        "jobs:\n- name: a\n  command: run\n  timeout: soon\n",
        "jobs.yml:4: `soon` is no duration",
    );
    complains(
        "jobs:\n- name: a\n  command: run\n  schedule:\n    cron: 61 * * * *\n",
        "jobs.yml:5: `61 * * * *` is no cron pattern",
    );
    complains(
        "jobs:\n- name: a\n  command: run\n  schedule:\n    cron: 1 * * * *\n    time_zone: Mars/Olympus\n",
        "jobs.yml:6: there is no time zone `Mars/Olympus`",
    );
    complains(
        "jobs:\n- name: a\n  command: run\n  schedule: {cron: '0 5 * * * *'}\n",
        "jobs.yml:4: `0 5 * * * *` is no cron pattern",
    );
}
