//! One city while it runs: where demand is, who is free where, and the surge between the two.

use crate::city::{City, ZoneKind};
use crate::draw::{Draw, exp};
use crate::driver::{DAY, Driver, HOUR};
use crate::place::{CellId, Cells, Plane, Point, ROAD_FACTOR};
use crate::ride::{Ride, Spot};

/// Requests fade from the demand memory with this time constant.
const HEAT_SECONDS: f64 = 600.0;
/// Up to so many free drivers, comparing all distances is cheaper than walking rings of cells.
const COMPARE_ALL: usize = 48;
/// Farther away (straight line) nobody is asked.
const REACH_M: f64 = 4_400.0;
/// The same in rings of H3 cells, which are about 0.9 km apart.
const REACH_RINGS: usize = 6;
/// Places where rides begin and end, per zone.
const PLACES_PER_ZONE: usize = 160;

pub(crate) struct Town {
    pub(crate) city: &'static City,
    pub(crate) requests_per_day: f64,
    pub(crate) plane: Plane,
    pub(crate) cells: Cells,
    places: Vec<Vec<Spot>>,
    zone_weights: Vec<f64>,
    idle_in_cell: Vec<Vec<u32>>,
    pub(crate) idle: Vec<u32>,
    pub(crate) online: Vec<u32>,
    idle_in_zone: Vec<u32>,
    heat: Vec<f64>,
    heat_at: i64,
    pub(crate) customers: Vec<u32>,
    pub(crate) drivers: Vec<u32>,
    /// Rides without a driver.
    pub(crate) waiting: u32,
    /// Counts restarts of the stream of arrivals; tasks of an earlier one are stale.
    pub(crate) generation: u32,
    rain: (i64, i64),
    match_day: (i64, i64),
    busy_day: f64,
}

impl Town {
    pub(crate) fn new(city: &'static City, requests_per_day: f64, draw: &mut Draw) -> Self {
        let plane = Plane::at(city.zones[0].lat);
        let centres: Vec<Point> = city
            .zones
            .iter()
            .map(|zone| Point::from_degrees(zone.lat, zone.lon))
            .collect();
        let mut cells = Cells::new(plane, centres.clone());
        let mut places = Vec::new();
        for (zone, centre) in centres.iter().enumerate() {
            let spread = match city.zones[zone].kind {
                ZoneKind::Centre | ZoneKind::Nightlife => 480.0,
                ZoneKind::Residential => 650.0,
                ZoneKind::Airport | ZoneKind::Stadium => 250.0,
            };
            let spots = (0..PLACES_PER_ZONE).map(|_| {
                let (east, north) = (draw.normal() * spread, draw.normal() * spread);
                let point = plane.offset(*centre, east, north);
                Spot {
                    point,
                    cell: cells.at(point),
                    zone: zone as u8,
                }
            });
            places.push(spots.collect());
        }
        let zones = city.zones.len();
        Self {
            city,
            requests_per_day,
            plane,
            cells,
            places,
            zone_weights: city.zones.iter().map(|zone| zone.weight).collect(),
            idle_in_cell: Vec::new(),
            idle: Vec::new(),
            online: Vec::new(),
            idle_in_zone: vec![0; zones],
            heat: vec![0.0; zones],
            heat_at: 0,
            customers: Vec::new(),
            drivers: Vec::new(),
            waiting: 0,
            generation: 0,
            rain: (0, 0),
            match_day: (0, 0),
            busy_day: 1.0,
        }
    }

    /// Draws what is special about the day that begins: how busy it is, rain, a match.
    pub(crate) fn plan_day(&mut self, now: i64, draw: &mut Draw) {
        self.busy_day = draw.between(0.93, 1.07);
        if draw.chance(0.15) {
            let from = now + draw.seconds(0.0, 22.0 * 3600.0);
            self.rain = (from, from + draw.seconds(2_400.0, 9_000.0));
        }
        let evening = now.div_euclid(DAY) * DAY + 20 * HOUR - self.city.utc_offset_minutes * 60_000;
        let kicks_off = draw.chance(0.12);
        if kicks_off && evening > now {
            self.match_day = (evening + HOUR, evening + 3 * HOUR);
        }
    }

    /// Requests an hour against the mean.
    pub(crate) fn demand(&self, now: i64) -> f64 {
        let rain = if self.rains(now) { 1.25 } else { 1.0 };
        self.city.curve(now) * self.busy_day * rain
    }

    fn rains(&self, now: i64) -> bool {
        now >= self.rain.0 && now < self.rain.1
    }

    /// Driving speed in metres a second of street.
    pub(crate) fn speed(&self, now: i64) -> f64 {
        let rush = 1.0 - 0.28 * (self.city.curve(now) - 0.8).clamp(0.0, 1.0);
        let rain = if self.rains(now) { 0.85 } else { 1.0 };
        self.city.speed_kmh / 3.6 * rush * rain
    }

    /// Where a request comes from.
    pub(crate) fn pickup(&self, now: i64, draw: &mut Draw) -> Spot {
        let (hour, _) = self.city.local_hour(now);
        let crowd = now >= self.match_day.0 && now < self.match_day.1;
        let weights: [f64; 8] = std::array::from_fn(|zone| {
            let Some(weight) = self.zone_weights.get(zone) else {
                return 0.0;
            };
            weight
                * match self.city.zones[zone].kind {
                    ZoneKind::Nightlife if !(5..20).contains(&hour) => 1.8,
                    ZoneKind::Residential if (6..10).contains(&hour) => 1.9,
                    ZoneKind::Airport if (5..9).contains(&hour) => 1.6,
                    ZoneKind::Stadium if crowd => 9.0,
                    ZoneKind::Centre
                    | ZoneKind::Nightlife
                    | ZoneKind::Residential
                    | ZoneKind::Airport
                    | ZoneKind::Stadium => 1.0,
                }
        });
        self.place(draw.weighted(&weights[..self.zone_weights.len()]), draw)
    }

    /// Any place of a zone.
    pub(crate) fn place(&self, zone: usize, draw: &mut Draw) -> Spot {
        self.places[zone][draw.below(PLACES_PER_ZONE)]
    }

    /// Any place, in proportion to demand.
    pub(crate) fn any_place(&self, draw: &mut Draw) -> Spot {
        self.place(draw.weighted(&self.zone_weights), draw)
    }

    /// Where demand per free driver is highest; the driver in `cell` counts for none.
    pub(crate) fn scarcest_zone(&self, cell: CellId) -> usize {
        let own = self.cells.zone(cell);
        let mut best = (0, f64::MIN);
        for (zone, weight) in self.zone_weights.iter().enumerate() {
            let others = self.idle_in_zone[zone] - u32::from(zone == own);
            let need = weight / (f64::from(others) + 0.5);
            if need > best.1 {
                best = (zone, need);
            }
        }
        best.0
    }

    /// Where a ride goes: of several places the one nearest to a lognormal length.
    pub(crate) fn dropoff(&self, pickup: &Spot, draw: &mut Draw) -> Spot {
        let wanted = draw.lognormal(2_900.0, 0.55);
        let mut best: Option<(f64, Spot)> = None;
        for _ in 0..5 {
            let spot = self.any_place(draw);
            let metres = self.plane.metres(pickup.point, spot.point);
            let miss = if metres < 400.0 {
                1e9
            } else {
                (metres - wanted).abs()
            };
            if best.is_none_or(|(least, _)| miss < least) {
                best = Some((miss, spot));
            }
        }
        best.expect("invariant: five places were drawn").1
    }

    /// Metres of street between two points.
    pub(crate) fn street(&self, a: Point, b: Point) -> f64 {
        self.plane.metres(a, b) * ROAD_FACTOR
    }

    pub(crate) fn park(&mut self, id: u32, drivers: &mut [Driver]) {
        let driver = &mut drivers[id as usize];
        if self.idle_in_cell.len() < self.cells.len() {
            self.idle_in_cell.resize_with(self.cells.len(), Vec::new);
        }
        let there = &mut self.idle_in_cell[driver.cell as usize];
        driver.cell_slot = there.len() as u32;
        there.push(id);
        driver.idle_slot = self.idle.len() as u32;
        self.idle.push(id);
        self.idle_in_zone[self.cells.zone(driver.cell)] += 1;
    }

    pub(crate) fn unpark(&mut self, id: u32, drivers: &mut [Driver]) {
        let driver = &drivers[id as usize];
        let (cell, cell_slot, idle_slot) = (
            driver.cell as usize,
            driver.cell_slot as usize,
            driver.idle_slot as usize,
        );
        self.idle_in_cell[cell].swap_remove(cell_slot);
        if let Some(moved) = self.idle_in_cell[cell].get(cell_slot) {
            drivers[*moved as usize].cell_slot = cell_slot as u32;
        }
        self.idle.swap_remove(idle_slot);
        if let Some(moved) = self.idle.get(idle_slot) {
            drivers[*moved as usize].idle_slot = idle_slot as u32;
        }
        self.idle_in_zone[self.cells.zone(cell as u32)] -= 1;
    }

    pub(crate) fn log_in(&mut self, id: u32, drivers: &mut [Driver]) {
        drivers[id as usize].online_slot = self.online.len() as u32;
        self.online.push(id);
    }

    pub(crate) fn log_out(&mut self, id: u32, drivers: &mut [Driver]) {
        let slot = drivers[id as usize].online_slot as usize;
        self.online.swap_remove(slot);
        if let Some(moved) = self.online.get(slot) {
            drivers[*moved as usize].online_slot = slot as u32;
        }
    }

    /// The nearest free driver who hasn't declined this ride, and the straight distance.
    pub(crate) fn nearest(&mut self, ride: &Ride, drivers: &[Driver]) -> Option<(u32, f64)> {
        let plane = self.plane;
        let mut best: Option<(u32, f64)> = None;
        let mut consider = |id: u32| {
            let metres = plane.metres(drivers[id as usize].point, ride.pickup.point);
            let nearer = best.is_none_or(|(_, least)| metres < least);
            if nearer && metres <= REACH_M && !ride.was_declined_by(id) {
                best = Some((id, metres));
            }
            best.is_some()
        };
        if self.idle.len() <= COMPARE_ALL {
            self.idle.iter().for_each(|id| {
                consider(*id);
            });
            return best;
        }
        let mut last = REACH_RINGS;
        let mut ring = 0;
        while ring <= last {
            for cell in self.cells.ring(ride.pickup.cell, ring) {
                let Some(there) = self.idle_in_cell.get(*cell as usize) else {
                    continue;
                };
                for id in there {
                    // one ring more: a cell's far edge can be nearer than the next cell's
                    if consider(*id) {
                        last = last.min(ring + 1);
                    }
                }
            }
            ring += 1;
        }
        best
    }

    /// Share of the online drivers who are free.
    pub(crate) fn idle_share(&self) -> f64 {
        self.idle.len() as f64 / self.online.len().max(1) as f64
    }

    /// Notes a request and returns the surge there, in tenths: demand of the last minutes against
    /// free drivers, in the zone and in the whole city.
    pub(crate) fn heat_up(&mut self, zone: usize, now: i64) -> u8 {
        let seconds = (now - self.heat_at) as f64 / 1_000.0;
        let fade = if seconds > 6_000.0 {
            0.0
        } else {
            exp(-seconds / HEAT_SECONDS)
        };
        self.heat_at = now;
        for heat in &mut self.heat {
            *heat *= fade;
        }
        self.heat[zone] += 1.0;
        let city: f64 = self.heat.iter().sum();
        let local = self.heat[zone] / (f64::from(self.idle_in_zone[zone]) + 1.0);
        let overall = city / (self.idle.len() as f64 + 1.0);
        let pressure = 0.4 * local + 0.6 * overall;
        (10.0 + 5.0 * (pressure - 1.0).clamp(0.0, 3.6)).round() as u8
    }
}
