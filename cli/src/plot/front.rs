//! Draws a Pareto front: one objective over the other, with the edge of what is possible.

use std::path::Path;

use cardinal_edge::failure::Failure;
use cardinal_edge::front::{FrontAnswer, GoalAnswer};
use plotters::prelude::*;

use super::{Area, COLOURS, FONT, Picture, write};
use crate::render::numbers::number;

/// Draws the front into a file.
pub fn draw(path: &Path, answer: &FrontAnswer) -> Result<(), Failure> {
    write(path, answer)
}

/// The range of some values with room on both sides.
fn around(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
    (low - room, high + room)
}

fn label(goal: &GoalAnswer) -> String {
    let unit = goal.unit.as_ref().map_or(String::new(), |unit| format!(" ({unit})"));
    format!("{} {}{unit}", goal.direction, goal.formula)
}

impl Picture for FrontAnswer {
    fn draw<B: DrawingBackend>(&self, root: &Area<'_, B>) -> Result<(), String> {
        let wrong = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
        root.fill(&WHITE).map_err(wrong)?;
        if self.points.is_empty() {
            return Ok(());
        }
        let (left, right) = around(self.points.iter().map(|p| p.values[0]));
        let (bottom, top) = around(self.points.iter().map(|p| p.values[1]));
        let mut builder = ChartBuilder::on(root);
        builder.margin(16).x_label_area_size(48).y_label_area_size(84);
        let mut chart = builder.build_cartesian_2d(left..right, bottom..top).map_err(wrong)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(226, 226, 226))
            .x_desc(label(&self.objectives[0]))
            .y_desc(label(&self.objectives[1]))
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| number(*y))
            .axis_desc_style((FONT, 15))
            .label_style((FONT, 13))
            .draw()
            .map_err(wrong)?;
        // With less of the first objective than the next point has, the second stays what it is.
        let mut edge: Vec<(f64, f64)> = Vec::new();
        for point in &self.points {
            let [x, y] = point.values;
            edge.extend(edge.last().map(|(_, before)| (x, *before)));
            edge.push((x, y));
        }
        let (red, green, blue) = COLOURS[0];
        let colour = RGBColor(red, green, blue);
        chart.draw_series(LineSeries::new(edge, RGBColor(160, 160, 160).stroke_width(1))).map_err(wrong)?;
        let dots = self.points.iter().map(|point| Circle::new((point.values[0], point.values[1]), 4, colour.filled()));
        chart.draw_series(dots).map_err(wrong)?;
        Ok(())
    }
}
