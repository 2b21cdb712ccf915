//! Draws a load over time with what each way could hold of it and what it cost.

use std::path::Path;

use cardinal_control::simulate::compare::{Comparison, Point};
use cardinal_edge::failure::Failure;
use plotters::prelude::*;

use super::{Area, COLOURS, Curve, FONT, Picture, around, write};
use crate::render::numbers::number;

/// More points than this cannot be told apart.
const POINTS: usize = 1200;

struct CoursePlot<'a> {
    comparison: &'a Comparison,
    currency: &'a str,
}

/// Draws the comparison into a file.
pub fn draw(path: &Path, comparison: &Comparison, currency: &str) -> Result<(), Failure> {
    write(path, &CoursePlot { comparison, currency })
}

impl Picture for CoursePlot<'_> {
    fn draw<B: DrawingBackend>(&self, root: &Area<'_, B>) -> Result<(), String> {
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let ways: Vec<_> = self.comparison.ways.iter().filter(|way| !way.course.is_empty()).collect();
        let Some(first) = ways.first() else { return Ok(()) };
        let curve = |name: &str, course: &[Point], pick: &dyn Fn(&[Point]) -> Option<f64>| Curve {
            name: name.to_owned(),
            points: thin(course, pick),
        };
        let most_load = |part: &[Point]| part.iter().map(|p| p.load).reduce(f64::max);
        let least_capacity = |part: &[Point]| part.iter().filter_map(|p| p.capacity).reduce(f64::min);
        let mean_cost = |part: &[Point]| Some(part.iter().map(|p| p.cost).sum::<f64>() / part.len() as f64);
        let capacity = |way: &&cardinal_control::simulate::compare::Way| curve(&way.name, &way.course, &least_capacity);
        let mut loads = vec![curve(&self.comparison.metric, &first.course, &most_load)];
        loads.extend(ways.iter().map(capacity));
        let costs: Vec<Curve> = ways.iter().map(|way| curve(&way.name, &way.course, &mean_cost)).collect();
        let sums: Vec<Curve> = ways.iter().map(|way| cumulated(&way.name, &way.course)).collect();
        let [top, rest] = &root.split_evenly((2, 1))[..] else { return Ok(()) };
        let [middle, bottom] = &rest.split_evenly((2, 1))[..] else { return Ok(()) };
        // The load is black; each way has one colour in all charts.
        chart(top, &format!("{} and capacity", self.comparison.metric), "", &loads, &[6, 0, 1, 2, 3, 4, 5])?;
        chart(middle, &format!("cost, {} per hour", self.currency), "", &costs, &[0, 1, 2, 3, 4, 5])?;
        chart(bottom, &format!("paid, {}", self.currency), "hours", &sums, &[0, 1, 2, 3, 4, 5])
    }
}

/// One value for each part of the time.
fn thin(course: &[Point], pick: &dyn Fn(&[Point]) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let size = course.len().div_ceil(POINTS).max(1);
    course.chunks(size).map(|part| (hours(part[0].elapsed_ms), pick(part))).collect()
}

fn cumulated(name: &str, course: &[Point]) -> Curve {
    let (mut paid, mut points) = (0.0, Vec::with_capacity(course.len()));
    let ends = course.iter().skip(1).map(|p| p.elapsed_ms);
    for (point, end) in course.iter().zip(ends) {
        points.push((hours(point.elapsed_ms), Some(paid)));
        paid += point.cost * hours(end - point.elapsed_ms);
    }
    let size = points.len().div_ceil(POINTS).max(1);
    Curve { name: name.to_owned(), points: points.into_iter().step_by(size).collect() }
}

fn hours(ms: u64) -> f64 {
    ms as f64 / 3.6e6
}

fn chart<B: DrawingBackend>(
    area: &Area<'_, B>,
    title: &str,
    label: &str,
    curves: &[Curve],
    colours: &[usize],
) -> Result<(), String> {
    let wrong = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    let values = || curves.iter().flat_map(|c| &c.points);
    let right = values().map(|p| p.0).fold(0.0, f64::max).max(1e-9);
    let (bottom, top) = around(values().filter_map(|p| p.1));
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).x_label_area_size(40).y_label_area_size(84);
    let mut chart = builder.build_cartesian_2d(0.0..right, bottom..top).map_err(wrong)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(226, 226, 226))
        .x_desc(label)
        .y_desc(title)
        .x_label_formatter(&|x| number(*x))
        .y_label_formatter(&|y| number(*y))
        .axis_desc_style((FONT, 15))
        .label_style((FONT, 13))
        .draw()
        .map_err(wrong)?;
    for (index, curve) in curves.iter().enumerate() {
        let (red, green, blue) = COLOURS[colours[index % colours.len()] % COLOURS.len()];
        let colour = RGBColor(red, green, blue).to_rgba();
        let points = curve.points.iter().filter_map(|(x, y)| Some((*x, (*y)?)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(if index == 0 { 2 } else { 1 })))
            .map_err(wrong)?
            .label(curve.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 13))
        .draw()
        .map_err(wrong)
}
