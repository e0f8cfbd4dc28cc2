//! Points, distances and H3 cells of one city, in integers.

use std::collections::HashMap;

use h3o::{CellIndex, LatLng, Resolution};

/// A position in hundred-thousandths of a degree: about 1 m, and exact to compare and print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) lat_e5: i32,
    pub(crate) lon_e5: i32,
}

/// Metres in 0.00001 degree of latitude.
const METRES_PER_E5: f64 = 1.113_2;

/// Streets are this much longer than the straight line.
pub(crate) const ROAD_FACTOR: f64 = 1.3;

impl Point {
    pub(crate) fn from_degrees(lat: f64, lon: f64) -> Self {
        Self {
            lat_e5: (lat * 1e5).round() as i32,
            lon_e5: (lon * 1e5).round() as i32,
        }
    }

    /// The H3 cell (resolution 8, about 0.7 km²) that holds the point.
    pub(crate) fn cell(self) -> u64 {
        let at = LatLng::new(f64::from(self.lat_e5) / 1e5, f64::from(self.lon_e5) / 1e5)
            .expect("invariant: city coordinates are finite degrees");
        u64::from(at.to_cell(Resolution::Eight))
    }

    /// The point that lies `part` (0 to 1) of the way to `to`.
    pub(crate) fn towards(self, to: Self, part: f64) -> Self {
        let part = part.clamp(0.0, 1.0);
        let step = |a: i32, b: i32| a + (f64::from(b - a) * part) as i32;
        Self {
            lat_e5: step(self.lat_e5, to.lat_e5),
            lon_e5: step(self.lon_e5, to.lon_e5),
        }
    }
}

/// The flat map of one city: good to 1 % over its few dozen kilometres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane {
    /// Length of a degree of longitude against one of latitude.
    lon_scale: f64,
}

impl Plane {
    pub(crate) fn at(lat: f64) -> Self {
        // Taylor series of the cosine: the platform's differs in the last bit
        let x = lat.to_radians();
        let square = x * x;
        let mut term = 1.0;
        let mut sum = 1.0;
        for n in 1..10 {
            term *= -square / f64::from((2 * n - 1) * (2 * n));
            sum += term;
        }
        Self { lon_scale: sum }
    }

    /// Straight line in metres.
    pub(crate) fn metres(self, a: Point, b: Point) -> f64 {
        let dy = f64::from(a.lat_e5 - b.lat_e5);
        let dx = f64::from(a.lon_e5 - b.lon_e5) * self.lon_scale;
        (dx * dx + dy * dy).sqrt() * METRES_PER_E5
    }

    pub(crate) fn offset(self, from: Point, east_m: f64, north_m: f64) -> Point {
        Point {
            lat_e5: from.lat_e5 + (north_m / METRES_PER_E5) as i32,
            lon_e5: from.lon_e5 + (east_m / (METRES_PER_E5 * self.lon_scale)) as i32,
        }
    }

    /// Compass heading from `a` to `b` in whole degrees, to about 4 degrees.
    pub(crate) fn heading(self, a: Point, b: Point) -> u16 {
        let north = f64::from(b.lat_e5 - a.lat_e5);
        let east = f64::from(b.lon_e5 - a.lon_e5) * self.lon_scale;
        if north == 0.0 && east == 0.0 {
            return 0;
        }
        let (n, e) = (north.abs(), east.abs());
        // within an octant the angle grows nearly linearly with the ratio of the sides
        let acute = if n >= e {
            45.0 * e / n
        } else {
            90.0 - 45.0 * n / e
        };
        let degrees = match (north >= 0.0, east >= 0.0) {
            (true, true) => acute,
            (false, true) => 180.0 - acute,
            (false, false) => 180.0 + acute,
            (true, false) => 360.0 - acute,
        };
        degrees as u16 % 360
    }
}

/// A cell's number within its city.
pub(crate) type CellId = u32;

struct Cell {
    h3: u64,
    /// Nearest zone of the city.
    zone: u8,
    /// Cells at grid distance 0, 1, 2, …; filled when first asked for.
    rings: Vec<Box<[CellId]>>,
}

/// The cells met so far in one city, numbered in order of first use.
pub(crate) struct Cells {
    by_h3: HashMap<u64, CellId>,
    cells: Vec<Cell>,
    zones: Vec<Point>,
    plane: Plane,
}

impl Cells {
    pub(crate) fn new(plane: Plane, zones: Vec<Point>) -> Self {
        Self {
            by_h3: HashMap::new(),
            cells: Vec::new(),
            zones,
            plane,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn h3(&self, id: CellId) -> u64 {
        self.cells[id as usize].h3
    }

    pub(crate) fn zone(&self, id: CellId) -> usize {
        usize::from(self.cells[id as usize].zone)
    }

    pub(crate) fn at(&mut self, point: Point) -> CellId {
        self.intern(point.cell())
    }

    fn intern(&mut self, h3: u64) -> CellId {
        if let Some(id) = self.by_h3.get(&h3) {
            return *id;
        }
        let id = self.cells.len() as CellId;
        let index = CellIndex::try_from(h3).expect("invariant: made by h3o");
        let centre = LatLng::from(index);
        let point = Point::from_degrees(centre.lat(), centre.lng());
        let mut nearest = (0, f64::MAX);
        for (zone, spot) in self.zones.iter().enumerate() {
            let metres = self.plane.metres(point, *spot);
            if metres < nearest.1 {
                nearest = (zone, metres);
            }
        }
        self.by_h3.insert(h3, id);
        self.cells.push(Cell {
            h3,
            zone: nearest.0 as u8,
            rings: Vec::new(),
        });
        id
    }

    /// Cells at grid distance `k`; copied out in a stable order.
    pub(crate) fn ring(&mut self, id: CellId, k: usize) -> &[CellId] {
        while self.cells[id as usize].rings.len() <= k {
            let next = self.cells[id as usize].rings.len() as u32;
            let centre = CellIndex::try_from(self.h3(id)).expect("invariant: made by h3o");
            let around: Vec<CellIndex> = centre.grid_ring(next);
            let ids = around
                .into_iter()
                .map(|cell| self.intern(u64::from(cell)))
                .collect();
            self.cells[id as usize].rings.push(ids);
        }
        &self.cells[id as usize].rings[k]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_metres() {
        let plane = Plane::at(51.5);
        let soho = Point::from_degrees(51.5136, -0.1365);
        let bank = Point::from_degrees(51.5133, -0.0886);
        assert!((plane.metres(soho, bank) - 3_320.0).abs() < 30.0);
        let moved = plane.offset(soho, 1_000.0, 0.0);
        assert!((plane.metres(soho, moved) - 1_000.0).abs() < 3.0);
    }

    #[test]
    fn headings_follow_the_compass() {
        let plane = Plane::at(0.0);
        let here = Point::default();
        let check = |east: f64, north: f64, expected: i32| {
            let got = i32::from(plane.heading(here, plane.offset(here, east, north)));
            assert!((got - expected).abs() <= 5, "{east} {north}: {got}");
        };
        check(0.0, 900.0, 0);
        check(900.0, 900.0, 45);
        check(900.0, 0.0, 90);
        check(0.0, -900.0, 180);
        check(-900.0, -900.0, 225);
        check(-900.0, 0.0, 270);
    }

    #[test]
    fn rings_surround_a_cell() {
        let centre = Point::from_degrees(6.43, 3.42);
        let mut cells = Cells::new(Plane::at(6.43), vec![centre]);
        let id = cells.at(centre);
        assert_eq!(cells.ring(id, 0), [id]);
        assert_eq!(cells.ring(id, 1).len(), 6);
        assert_eq!(cells.ring(id, 3).len(), 18);
        assert_eq!(cells.at(centre), id);
    }
}
