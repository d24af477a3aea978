//! The Markdown tables.

use std::fmt::Write as _;

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind};
use crate::scenario::Scenario;
use crate::server::Reading;

/// One round of one contender.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Server CPU time per message, in microseconds.
    cost: f64,
    /// Share of the window that the server, and the generator, had a core.
    server_busy: f64,
    generator_busy: f64,
}

impl Cell {
    pub fn new(before: Reading, after: Reading, messages: f64) -> Self {
        let wall = (after.wall - before.wall).as_secs_f64();
        let server = (after.server - before.server).as_secs_f64();
        let generator = (after.generator - before.generator).as_secs_f64();
        Self {
            cost: server * 1e6 / messages,
            server_busy: server / wall,
            generator_busy: generator / wall,
        }
    }
}

pub struct Table {
    contenders: Vec<Contender>,
    scenarios: Vec<Row>,
}

struct Row {
    name: &'static str,
    description: &'static str,
    /// The rounds of each contender, in the order of the table's contenders.
    cells: Vec<Vec<Cell>>,
}

/// Below this the generator was kept off its core by something else, and the server's sends may have woken it.
const GENERATOR_DISTURBED: f64 = 0.95;

impl Table {
    pub fn new(contenders: &[Contender]) -> Self {
        Self {
            contenders: contenders.to_vec(),
            scenarios: Vec::new(),
        }
    }

    pub fn add(&mut self, scenario: &Scenario, contender: &Contender, cell: Cell) {
        if self
            .scenarios
            .last()
            .is_none_or(|row| row.name != scenario.name)
        {
            let cells = vec![Vec::new(); self.contenders.len()];
            self.scenarios.push(Row {
                name: scenario.name,
                description: scenario.description,
                cells,
            });
        }
        let column = self
            .contenders
            .iter()
            .position(|known| known.name == contender.name);
        if let (Some(row), Some(column)) = (self.scenarios.last_mut(), column) {
            row.cells[column].push(cell);
        }
    }

    pub fn print(&self, arguments: &Arguments) {
        if self.scenarios.is_empty() {
            return;
        }
        println!(
            "## Server CPU time per message, microseconds (ratio to the best floor of the run)\n"
        );
        println!(
            "Medians of {} rounds of {:?}.\n",
            arguments.rounds, arguments.window
        );
        print!("{}", self.summary());
        for row in &self.scenarios {
            println!("\n## {} {}\n", row.name, row.description);
            print!("{}", self.detail(row));
        }
    }

    fn summary(&self) -> String {
        let mut text = String::from("| contender |");
        let mut rule = String::from("|---|");
        for row in &self.scenarios {
            text += &format!(" {} |", row.name);
            rule += "---:|";
        }
        text += &format!("\n{rule}\n");
        for (column, contender) in self.contenders.iter().enumerate() {
            text += &format!("| {} |", contender.name);
            for row in &self.scenarios {
                text += &match row.median(column) {
                    Some(median) => {
                        format!(" {} ({}) |", three_figures(median), self.ratio(row, median))
                    }
                    None => " - |".to_owned(),
                };
            }
            text.push('\n');
        }
        text
    }

    fn detail(&self, row: &Row) -> String {
        let mut text = String::from(
            "| contender | min | median | max | ratio | server busy | generator busy | disturbed rounds |\n",
        );
        text += "|---|---:|---:|---:|---:|---:|---:|---:|\n";
        for (column, contender) in self.contenders.iter().enumerate() {
            let cells = &row.cells[column];
            let Some(median) = row.median(column) else {
                continue;
            };
            let costs = || cells.iter().map(|cell| cell.cost);
            let mean =
                |of: fn(&Cell) -> f64| cells.iter().map(of).sum::<f64>() / cells.len() as f64;
            let disturbed = cells
                .iter()
                .filter(|cell| cell.generator_busy < GENERATOR_DISTURBED)
                .count();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {:.2} | {:.2} | {disturbed} |",
                contender.name,
                three_figures(costs().fold(f64::INFINITY, f64::min)),
                three_figures(median),
                three_figures(costs().fold(0.0, f64::max)),
                self.ratio(row, median),
                mean(|cell| cell.server_busy),
                mean(|cell| cell.generator_busy),
            );
        }
        text
    }

    fn ratio(&self, row: &Row, median: f64) -> String {
        let floors = (0..self.contenders.len())
            .filter(|column| self.contenders[*column].kind == Kind::Floor);
        match floors
            .filter_map(|column| row.median(column))
            .min_by(f64::total_cmp)
        {
            Some(floor) => format!("{:.2}", median / floor),
            None => "-".to_owned(),
        }
    }
}

impl Row {
    fn median(&self, column: usize) -> Option<f64> {
        let mut costs: Vec<f64> = self.cells[column].iter().map(|cell| cell.cost).collect();
        costs.sort_by(f64::total_cmp);
        let middle = costs.len() / 2;
        match costs.len() {
            0 => None,
            len if len % 2 == 1 => Some(costs[middle]),
            _ => Some((costs[middle - 1] + costs[middle]) / 2.0),
        }
    }
}

/// 0.231, 3.17, 12.3, 240.
fn three_figures(value: f64) -> String {
    let decimals = match value {
        value if value < 1.0 => 3,
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
