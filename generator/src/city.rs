//! The cities that can be simulated: real places, currencies and habits.
//!
//! Coordinates are those of the named places to about 100 m. Tariffs are of the right order for
//! each city, in the currency's minor unit. Clocks use one fixed offset from UTC: it only shapes
//! the demand curve, so summer time is left out.

/// What a zone is to its city; drives when demand bursts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZoneKind {
    Centre,
    Nightlife,
    Residential,
    Airport,
    Stadium,
}

/// A hot spot: demand scatters around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone {
    pub(crate) kind: ZoneKind,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    /// Share of the city's requests, relative to its other zones.
    pub(crate) weight: f64,
}

/// Price list, in the minor unit of the currency ("cents").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tariff {
    pub(crate) currency: &'static str,
    pub(crate) base: i32,
    pub(crate) per_km: i32,
    pub(crate) per_minute: i32,
    pub(crate) booking_fee: i32,
    pub(crate) airport_toll: i32,
    pub(crate) cancellation_fee: i32,
    /// Tax on everything but tolls and tip, in hundredths of a percent.
    pub(crate) tax_basis_points: i32,
    /// Share of completed rides with a tip.
    pub(crate) tip_share: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct City {
    pub(crate) slug: &'static str,
    pub(crate) utc_offset_minutes: i64,
    pub(crate) zones: &'static [Zone],
    pub(crate) tariff: Tariff,
    /// Free-flowing speed of a trip; rush hours slow it down.
    pub(crate) speed_kmh: f64,
    /// Demand by local hour, relative: working days and weekends.
    pub(crate) weekday: &'static [f64; 24],
    pub(crate) weekend: &'static [f64; 24],
    /// `#` is any digit, `^` one from 1 to 9.
    pub(crate) phone: &'static str,
    /// `#` is a digit, `$` a letter.
    pub(crate) plate: &'static str,
    pub(crate) brands: &'static [&'static str],
    /// Names come from the Portuguese list instead of the English one.
    pub(crate) portuguese: bool,
}

const fn zone(kind: ZoneKind, lat: f64, lon: f64, weight: f64) -> Zone {
    Zone {
        kind,
        lat,
        lon,
        weight,
    }
}

use ZoneKind::{Airport, Centre, Nightlife, Residential, Stadium};

// Two rush hours, a long evening; and for weekends a late start and a busy night.
const COMMUTE: [f64; 24] = [
    0.55, 0.42, 0.34, 0.32, 0.38, 0.60, 0.95, 1.35, 1.50, 1.20, 0.95, 0.95, 1.05, 1.05, 1.00, 1.05,
    1.20, 1.50, 1.60, 1.40, 1.20, 1.10, 0.95, 0.75,
];
const NIGHTS_OUT: [f64; 24] = [
    1.20, 1.05, 0.85, 0.60, 0.42, 0.38, 0.45, 0.58, 0.75, 0.90, 1.00, 1.05, 1.10, 1.10, 1.05, 1.05,
    1.10, 1.20, 1.35, 1.45, 1.45, 1.40, 1.40, 1.30,
];
const EARLY: [f64; 24] = [
    0.45, 0.36, 0.32, 0.40, 0.65, 1.00, 1.40, 1.60, 1.35, 1.05, 0.95, 0.95, 1.00, 1.00, 1.00, 1.10,
    1.35, 1.60, 1.50, 1.25, 1.05, 0.90, 0.75, 0.60,
];
const QUIET_WEEKEND: [f64; 24] = [
    0.85, 0.65, 0.50, 0.42, 0.42, 0.50, 0.65, 0.80, 0.95, 1.05, 1.15, 1.20, 1.20, 1.15, 1.10, 1.10,
    1.20, 1.30, 1.40, 1.35, 1.25, 1.15, 1.05, 0.95,
];

/// Every city that `--cities` knows. The first five are the default.
pub(crate) const CITIES: &[City] = &[
    City {
        slug: "lagos",
        utc_offset_minutes: 60,
        zones: &[
            zone(Centre, 6.4298, 3.4219, 44.0),
            zone(Centre, 6.4480, 3.4330, 22.0),
            zone(Nightlife, 6.4340, 3.4400, 18.0),
            zone(Centre, 6.4530, 3.4010, 10.0),
            zone(Residential, 6.4981, 3.3800, 2.0),
            zone(Airport, 6.5774, 3.3212, 3.0),
            zone(Stadium, 6.4963, 3.3646, 1.0),
        ],
        tariff: Tariff {
            currency: "NGN",
            base: 60_000,
            per_km: 22_000,
            per_minute: 2_500,
            booking_fee: 15_000,
            airport_toll: 50_000,
            cancellation_fee: 50_000,
            tax_basis_points: 750,
            tip_share: 0.12,
        },
        speed_kmh: 25.0,
        weekday: &EARLY,
        weekend: &NIGHTS_OUT,
        phone: "+234 80# ### ####",
        plate: "$$$-###$$",
        brands: &["verve", "mastercard", "visa"],
        portuguese: false,
    },
    City {
        slug: "london",
        utc_offset_minutes: 0,
        zones: &[
            zone(Nightlife, 51.5136, -0.1365, 42.0),
            zone(Centre, 51.5133, -0.1050, 20.0),
            zone(Centre, 51.5285, -0.1250, 18.0),
            zone(Centre, 51.5010, -0.1190, 12.0),
            zone(Nightlife, 51.5240, -0.0800, 4.0),
            zone(Airport, 51.5048, 0.0495, 3.0),
            zone(Stadium, 51.5549, -0.1084, 1.0),
        ],
        tariff: Tariff {
            currency: "GBP",
            base: 300,
            per_km: 125,
            per_minute: 18,
            booking_fee: 150,
            airport_toll: 600,
            cancellation_fee: 500,
            tax_basis_points: 2_000,
            tip_share: 0.18,
        },
        speed_kmh: 24.0,
        weekday: &COMMUTE,
        weekend: &NIGHTS_OUT,
        phone: "+44 7### ######",
        plate: "$$## $$$",
        brands: &["visa", "mastercard", "amex"],
        portuguese: false,
    },
    City {
        slug: "new_york",
        utc_offset_minutes: -300,
        zones: &[
            zone(Centre, 40.7549, -73.9840, 44.0),
            zone(Centre, 40.7359, -73.9911, 20.0),
            zone(Centre, 40.7180, -74.0030, 7.0),
            zone(Residential, 40.7700, -73.9610, 16.0),
            zone(Nightlife, 40.7230, -73.9870, 7.0),
            zone(Airport, 40.7769, -73.8740, 3.0),
            zone(Stadium, 40.7505, -73.9934, 3.0),
        ],
        tariff: Tariff {
            currency: "USD",
            base: 300,
            per_km: 130,
            per_minute: 55,
            booking_fee: 275,
            airport_toll: 900,
            cancellation_fee: 500,
            tax_basis_points: 888,
            tip_share: 0.38,
        },
        speed_kmh: 22.0,
        weekday: &COMMUTE,
        weekend: &NIGHTS_OUT,
        phone: "+1 917 ### ####",
        plate: "T######$",
        brands: &["visa", "mastercard", "amex", "discover"],
        portuguese: false,
    },
    City {
        slug: "sao_paulo",
        utc_offset_minutes: -180,
        zones: &[
            zone(Centre, -23.5614, -46.6559, 44.0),
            zone(Centre, -23.5660, -46.6790, 18.0),
            zone(Centre, -23.5800, -46.6720, 16.0),
            zone(Nightlife, -23.5540, -46.6800, 10.0),
            zone(Centre, -23.5505, -46.6380, 8.0),
            zone(Airport, -23.6261, -46.6564, 3.0),
            zone(Stadium, -23.5275, -46.6785, 1.0),
        ],
        tariff: Tariff {
            currency: "BRL",
            base: 450,
            per_km: 190,
            per_minute: 32,
            booking_fee: 150,
            airport_toll: 800,
            cancellation_fee: 600,
            tax_basis_points: 500,
            tip_share: 0.10,
        },
        speed_kmh: 24.0,
        weekday: &COMMUTE,
        weekend: &QUIET_WEEKEND,
        phone: "+55 11 9####-####",
        plate: "$$$#$##",
        brands: &["visa", "mastercard", "elo"],
        portuguese: true,
    },
    City {
        slug: "mumbai",
        utc_offset_minutes: 330,
        zones: &[
            zone(Centre, 19.0640, 72.8620, 40.0),
            zone(Nightlife, 19.0596, 72.8400, 24.0),
            zone(Residential, 19.0800, 72.8480, 16.0),
            zone(Centre, 19.0430, 72.8480, 12.0),
            zone(Airport, 19.0896, 72.8656, 6.0),
            zone(Centre, 18.9977, 72.8307, 1.5),
            zone(Stadium, 18.9388, 72.8258, 0.5),
        ],
        tariff: Tariff {
            currency: "INR",
            base: 4_000,
            per_km: 1_700,
            per_minute: 150,
            booking_fee: 1_000,
            airport_toll: 10_000,
            cancellation_fee: 5_000,
            tax_basis_points: 500,
            tip_share: 0.09,
        },
        speed_kmh: 23.0,
        weekday: &COMMUTE,
        weekend: &QUIET_WEEKEND,
        phone: "+91 9#### #####",
        plate: "MH ## $$ ####",
        brands: &["rupay", "visa", "mastercard"],
        portuguese: false,
    },
    City {
        slug: "nairobi",
        utc_offset_minutes: 180,
        zones: &[
            zone(Centre, -1.2864, 36.8172, 44.0),
            zone(Nightlife, -1.2676, 36.8108, 22.0),
            zone(Residential, -1.2906, 36.7950, 14.0),
            zone(Centre, -1.2995, 36.8124, 16.0),
            zone(Airport, -1.3192, 36.9278, 3.0),
            zone(Stadium, -1.2294, 36.8925, 1.0),
        ],
        tariff: Tariff {
            currency: "KES",
            base: 10_000,
            per_km: 4_500,
            per_minute: 500,
            booking_fee: 3_000,
            airport_toll: 25_000,
            cancellation_fee: 10_000,
            tax_basis_points: 1_600,
            tip_share: 0.08,
        },
        speed_kmh: 24.0,
        weekday: &EARLY,
        weekend: &NIGHTS_OUT,
        phone: "+254 7## ######",
        plate: "K$$ ###$",
        brands: &["visa", "mastercard"],
        portuguese: false,
    },
    City {
        slug: "mexico_city",
        utc_offset_minutes: -360,
        zones: &[
            zone(Centre, 19.4270, -99.1600, 42.0),
            zone(Nightlife, 19.4150, -99.1680, 26.0),
            zone(Centre, 19.4320, -99.1790, 16.0),
            zone(Centre, 19.4326, -99.1420, 12.0),
            zone(Airport, 19.4361, -99.0719, 3.5),
            zone(Stadium, 19.3029, -99.1505, 0.5),
        ],
        tariff: Tariff {
            currency: "MXN",
            base: 1_000,
            per_km: 650,
            per_minute: 180,
            booking_fee: 500,
            airport_toll: 4_000,
            cancellation_fee: 2_500,
            tax_basis_points: 1_600,
            tip_share: 0.15,
        },
        speed_kmh: 22.0,
        weekday: &COMMUTE,
        weekend: &NIGHTS_OUT,
        phone: "+52 55 #### ####",
        plate: "$$$-##-##",
        brands: &["visa", "mastercard", "amex"],
        portuguese: false,
    },
    City {
        slug: "singapore",
        utc_offset_minutes: 480,
        zones: &[
            zone(Centre, 1.2840, 103.8510, 40.0),
            zone(Centre, 1.3048, 103.8318, 20.0),
            zone(Nightlife, 1.2900, 103.8450, 20.0),
            zone(Centre, 1.3008, 103.8559, 16.0),
            zone(Airport, 1.3644, 103.9915, 3.0),
            zone(Stadium, 1.3040, 103.8745, 1.0),
        ],
        tariff: Tariff {
            currency: "SGD",
            base: 320,
            per_km: 75,
            per_minute: 20,
            booking_fee: 70,
            airport_toll: 600,
            cancellation_fee: 400,
            tax_basis_points: 900,
            tip_share: 0.05,
        },
        speed_kmh: 28.0,
        weekday: &COMMUTE,
        weekend: &QUIET_WEEKEND,
        phone: "+65 9### ####",
        plate: "S$$ #### $",
        brands: &["visa", "mastercard", "amex"],
        portuguese: false,
    },
];

/// How many of [`CITIES`] are simulated unless `--cities` says otherwise.
pub(crate) const DEFAULT_CITIES: usize = 5;

/// The city of that name.
pub(crate) fn find(slug: &str) -> Option<&'static City> {
    CITIES.iter().find(|city| city.slug == slug)
}

impl City {
    /// Local hour 0..24 and whether it is a weekend there.
    pub(crate) fn local_hour(&self, at: i64) -> (usize, bool) {
        let minutes = at.div_euclid(60_000) + self.utc_offset_minutes;
        let hours = minutes.div_euclid(60);
        let day = hours.div_euclid(24);
        // 1970-01-01 was a Thursday
        let weekday = (day + 3).rem_euclid(7);
        (hours.rem_euclid(24) as usize, weekday >= 5)
    }

    /// Relative demand at this instant; the mean over a week is about 1.
    pub(crate) fn curve(&self, at: i64) -> f64 {
        let (hour, weekend) = self.local_hour(at);
        if weekend {
            self.weekend[hour]
        } else {
            self.weekday[hour]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_average_one() {
        for city in CITIES {
            let hours = 7 * 24;
            let mean = (0..hours).map(|h| city.curve(h * 3_600_000)).sum::<f64>() / hours as f64;
            assert!((mean - 1.0).abs() < 0.04, "{}: {mean}", city.slug);
        }
    }

    #[test]
    fn weekends_are_local() {
        let singapore = find("singapore").expect("known");
        // Friday 2026-11-20T20:00Z is Saturday 04:00 there
        assert_eq!(singapore.local_hour(1_795_204_800_000), (4, true));
    }
}
