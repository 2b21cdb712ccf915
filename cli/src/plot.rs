//! Draws a sweep: cost, utility and instances over one parameter, or the cost over two, as SVG or PNG. Pareto fronts are
//! drawn in [`front`].

pub mod course;
pub mod front;

use std::path::Path;

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_edge::what_if::{PointAnswer, SweepAnswer};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::render::numbers::{decimals, number};

const SIZE: (u32, u32) = (1000, 800);
const FONT: &str = "sans-serif";
/// Colours that everybody can tell apart (M. Okabe and K. Ito, 2008), without the yellow.
const COLOURS: [(u8, u8, u8); 7] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (0, 0, 0)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
}

fn kind(path: &Path) -> Result<Kind, Failure> {
    let ending = path.extension().map(|e| e.to_ascii_lowercase());
    match ending.as_ref().and_then(|e| e.to_str()) {
        Some("svg") => Ok(Kind::Svg),
        Some("png") => Ok(Kind::Png),
        _ => Err(Finding::error(format!("`{}` is neither SVG nor PNG", path.display()))
            .help("give the plot a name that ends in `.svg` or `.png`")
            .into()),
    }
}

/// Refuses a file that could not be drawn into, before anything is solved.
pub fn check(path: &Path) -> Result<(), Failure> {
    kind(path).map(|_| ())
}

/// What can be drawn.
trait Picture {
    /// Draws it on an area.
    fn draw<B: DrawingBackend>(&self, root: &Area<'_, B>) -> Result<(), String>;
}

/// Draws the sweep into a file.
pub fn draw(path: &Path, answer: &SweepAnswer) -> Result<(), Failure> {
    write(path, answer)
}

/// Draws into a file.
fn write(path: &Path, picture: &impl Picture) -> Result<(), Failure> {
    let wrong = |error: String| Failure::internal(format!("cannot draw `{}`: {error}", path.display()));
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| wrong("its font cannot be read".to_owned()))?;
    match kind(path)? {
        Kind::Svg => {
            let mut text = String::new();
            {
                let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
                picture.draw(&root).map_err(wrong)?;
                root.present().map_err(|error| wrong(error.to_string()))?;
            }
            std::fs::write(path, text).map_err(|error| wrong(crate::input::files::cause(&error)))
        }
        Kind::Png => {
            let root = BitMapBackend::new(path, SIZE).into_drawing_area();
            picture.draw(&root).map_err(wrong)?;
            root.present().map_err(|error| wrong(error.to_string()))
        }
    }
}

type Area<'a, B> = DrawingArea<B, Shift>;

impl Picture for SweepAnswer {
    fn draw<B: DrawingBackend>(&self, root: &Area<'_, B>) -> Result<(), String> {
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        if self.points.is_empty() {
            return Ok(());
        }
        if self.axes.len() > 1 { grid(root, self) } else { lines(root, self) }
    }
}

/// A line of a chart: its name and its points, with gaps where there is no placement.
struct Curve {
    name: String,
    points: Vec<(f64, Option<f64>)>,
}

fn curve(answer: &SweepAnswer, name: &str, of: impl Fn(&PointAnswer) -> Option<f64>) -> Curve {
    let points = answer.points.iter().map(|p| (p.values[0], of(p))).collect();
    Curve { name: name.to_owned(), points }
}

fn lines<B: DrawingBackend>(root: &Area<'_, B>, answer: &SweepAnswer) -> Result<(), String> {
    let money = answer.currency.as_ref().map_or("cost per hour".to_owned(), |code| format!("cost, {code} per hour"));
    let mut charts = vec![(money.clone(), vec![curve(answer, &money, |p| p.choice.cost_per_hour)])];
    if answer.objective.formula != "total_cost" {
        charts.push(("utility".to_owned(), vec![curve(answer, "utility", |p| p.choice.utility)]));
    }
    let mut names: Vec<&String> = answer.points.iter().flat_map(|p| p.choice.components.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let instances =
        names.iter().map(|name| curve(answer, name, |p| p.choice.components.get(*name).map(|c| c.cardinality as f64)));
    charts.push(("instances".to_owned(), instances.collect()));
    let areas = root.split_evenly((charts.len(), 1));
    let last = charts.len() - 1;
    for (index, ((title, curves), area)) in charts.iter().zip(&areas).enumerate() {
        let label = if index == last { answer.axes[0].name.as_str() } else { "" };
        chart(area, answer, title, label, curves)?;
    }
    Ok(())
}

/// A range with some room around it.
fn around(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
    // Amounts that are not negative begin at zero.
    (if low >= 0.0 { 0.0 } else { low - room }, high + room)
}

fn chart<B: DrawingBackend>(
    area: &Area<'_, B>,
    answer: &SweepAnswer,
    title: &str,
    label: &str,
    curves: &[Curve],
) -> Result<(), String> {
    let axis = &answer.axes[0];
    let (left, right) = (axis.values[0], axis.values[axis.values.len() - 1]);
    let (bottom, top) = around(curves.iter().flat_map(|c| c.points.iter().filter_map(|p| p.1)));
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).x_label_area_size(44).y_label_area_size(76);
    macro_rules! paint {
        ($x:expr) => {{
            let mut chart = builder.build_cartesian_2d($x, bottom..top).map_err(|error| error.to_string())?;
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
                .map_err(|error| error.to_string())?;
            for found in &answer.breaks {
                let at = [(found.at, bottom), (found.at, top)];
                chart
                    .draw_series(LineSeries::new(at, RGBColor(180, 180, 180).stroke_width(1)))
                    .map_err(|error| error.to_string())?;
            }
            for (index, curve) in curves.iter().enumerate() {
                let (red, green, blue) = COLOURS[index % COLOURS.len()];
                let colour = RGBColor(red, green, blue).to_rgba();
                let mut is_named = false;
                for part in curve.points.split(|p| p.1.is_none()).filter(|part| !part.is_empty()) {
                    let drawn = chart
                        .draw_series(LineSeries::new(steps(part, &answer.breaks), colour.stroke_width(2)))
                        .map_err(|error| error.to_string())?;
                    if curves.len() > 1 && !is_named {
                        is_named = true;
                        drawn
                            .label(curve.name.clone())
                            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
                    }
                }
            }
            if curves.len() > 1 {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperLeft)
                    .background_style(WHITE.mix(0.85))
                    .border_style(RGBColor(200, 200, 200))
                    .label_font((FONT, 13))
                    .draw()
                    .map_err(|error| error.to_string())?;
            }
        }};
    }
    if axis.log {
        paint!((left..right).log_scale())
    } else {
        paint!(left..right)
    }
    Ok(())
}

/// The points of a line; where the decision is known to change between two of them, it goes up or down there.
fn steps(part: &[(f64, Option<f64>)], breaks: &[cardinal_edge::what_if::BreakAnswer]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (x, y) in part.iter().filter_map(|(x, y)| y.map(|y| (*x, y))) {
        if let Some((before, old)) = points.last().copied()
            && old != y
        {
            let between: Vec<f64> = breaks.iter().map(|b| b.at).filter(|at| *at > before && *at <= x).collect();
            // Between several changes the line is drawn straight, as what lies there was not asked.
            if let [at] = between.as_slice() {
                points.extend([(*at, old), (*at, y)]);
            }
        }
        points.push((x, y));
    }
    points
}

/// The cost over two parameters, the darker the dearer.
fn grid<B: DrawingBackend>(root: &Area<'_, B>, answer: &SweepAnswer) -> Result<(), String> {
    let known: Vec<f64> = answer.points.iter().filter_map(|p| p.choice.cost_per_hour).collect();
    let (low, high) = known.iter().fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(*v), h.max(*v)));
    let (first, second) = (&answer.axes[0], &answer.axes[1]);
    let edges = |values: &[f64], log: bool| {
        let to = |x: f64| if log { x.ln() } else { x };
        let from = |x: f64| if log { x.exp() } else { x };
        let mut all = vec![values[0]];
        all.extend(values.windows(2).map(|pair| from((to(pair[0]) + to(pair[1])) / 2.0)));
        all.push(values[values.len() - 1]);
        all
    };
    let (xs, ys) = (edges(&first.values, first.log), edges(&second.values, second.log));
    let places = decimals(known.iter().copied().filter(|v| *v == low || *v == high));
    let money = answer.currency.as_ref().map_or(String::new(), |code| format!(" {code}"));
    let caption = if known.is_empty() {
        "no placement anywhere".to_owned()
    } else {
        format!("cost per hour, from {low:.places$} (light) to {high:.places$}{money} (dark); white: no placement")
    };
    let shade = |cost: f64| {
        let share = if high > low { (cost - low) / (high - low) } else { 0.0 };
        let mix = |light: f64, dark: f64| (light + (dark - light) * share).round() as u8;
        RGBColor(mix(222.0, 8.0), mix(235.0, 48.0), mix(247.0, 107.0))
    };
    let mut builder = ChartBuilder::on(root);
    builder.margin(12).x_label_area_size(48).y_label_area_size(84).caption(caption, (FONT, 16));
    macro_rules! paint {
        ($x:expr, $y:expr) => {{
            let mut chart = builder.build_cartesian_2d($x, $y).map_err(|error| error.to_string())?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_desc(first.name.as_str())
                .y_desc(second.name.as_str())
                .x_label_formatter(&|x| number(*x))
                .y_label_formatter(&|y| number(*y))
                .axis_desc_style((FONT, 15))
                .label_style((FONT, 13))
                .draw()
                .map_err(|error| error.to_string())?;
            for point in &answer.points {
                let Some(cost) = point.choice.cost_per_hour else { continue };
                let column = first.values.iter().position(|v| *v == point.values[0]).unwrap_or(0);
                let row = second.values.iter().position(|v| *v == point.values[1]).unwrap_or(0);
                let corners = [(xs[column], ys[row]), (xs[column + 1], ys[row + 1])];
                chart
                    .draw_series(std::iter::once(Rectangle::new(corners, shade(cost).filled())))
                    .map_err(|error| error.to_string())?;
            }
        }};
    }
    let (left, right) = (xs[0], xs[xs.len() - 1]);
    let (bottom, top) = (ys[0], ys[ys.len() - 1]);
    match (first.log, second.log) {
        (false, false) => paint!(left..right, bottom..top),
        (true, false) => paint!((left..right).log_scale(), bottom..top),
        (false, true) => paint!(left..right, (bottom..top).log_scale()),
        (true, true) => paint!((left..right).log_scale(), (bottom..top).log_scale()),
    }
    Ok(())
}
