//! The Markdown tables.

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind};
use crate::round::Seen;
use crate::scenario::{Pattern, Scenario};
use crate::server::Spent;

/// One round of one contender.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// CPU time per reply, delivery or connection, in microseconds.
    cost: f64,
    /// Share of the window that the contender, and the generator, had a core.
    busy: f64,
    generator_busy: f64,
    /// Payload bytes on the wire per reply, where the contenders differ in that.
    reply_len: Option<f64>,
}

impl Cell {
    pub fn new(spent: Spent, seen: Seen) -> Self {
        Self {
            cost: spent.process.as_secs_f64() * 1e6 / seen.replies,
            busy: spent.process.div_duration_f64(spent.wall),
            generator_busy: spent.generator.div_duration_f64(spent.wall),
            reply_len: seen.payload_bytes.map(|bytes| bytes / seen.replies),
        }
    }

    fn is_disturbed(&self) -> bool {
        self.generator_busy < GENERATOR_DISTURBED
    }
}

/// Below this the generator was kept off its core by something else. The server may then have paid for waking it, or
/// have found more work at once than the scenario gives.
const GENERATOR_DISTURBED: f64 = 0.95;

pub struct Table {
    pattern: Pattern,
    contenders: Vec<Contender>,
    scenarios: Vec<Row>,
}

struct Row {
    name: &'static str,
    description: &'static str,
    /// The rounds of each contender, in the order of the table's contenders.
    cells: Vec<Vec<Cell>>,
}

/// Of the undisturbed rounds, or of all where none is undisturbed. Medians are what a quiet machine is quoted by;
/// minima leave out what a busy neighbour does to caches and clock rate.
#[derive(Debug, Clone, Copy)]
enum Statistic {
    Minimum,
    Median,
    Maximum,
}

impl Table {
    pub fn new(pattern: Pattern, contenders: &[Contender]) -> Self {
        Self {
            pattern,
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
        let (who, unit) = match self.pattern {
            Pattern::Echo => ("Server", "message"),
            Pattern::Deflated => ("Server", "compressed message"),
            Pattern::Broadcast => ("Server", "delivery"),
            Pattern::Arrivals => ("Server", "connection"),
            Pattern::Client => ("Client", "message"),
        };
        println!(
            "## {who} CPU time per {unit}, microseconds (ratio to the best {} of the run)",
            self.reference().1,
        );
        let rounds = format!("of {} rounds of {:?}", arguments.rounds, arguments.window);
        println!("\nMedians {rounds}:\n\n{}", self.summary(Statistic::Median));
        println!("\nMinima {rounds}:\n\n{}", self.summary(Statistic::Minimum));
        for row in &self.scenarios {
            println!("\n## {} {}\n", row.name, row.description);
            print!("{}", self.detail(row));
        }
    }

    fn summary(&self, statistic: Statistic) -> String {
        let mut text = String::from("| contender |");
        let mut rule = String::from("|---|");
        for row in &self.scenarios {
            text += &format!(" {} |", row.name);
            rule += "---:|";
        }
        text += &format!("\n{rule}");
        for (column, contender) in self.contenders.iter().enumerate() {
            text += &format!("\n| {} |", contender.name);
            for row in &self.scenarios {
                text += &match row.cost(column, statistic) {
                    Some(cost) => {
                        let ratio = self.ratio(row, self.reference().0, cost, statistic);
                        format!(" {} ({ratio}) |", three_figures(cost))
                    }
                    None => " - |".to_owned(),
                };
            }
        }
        text
    }

    fn detail(&self, row: &Row) -> String {
        let mut text = String::from(
            "| contender | min | median | max | to the best floor: minima | medians | to the best peer: minima | \
             medians | busy | generator busy | disturbed rounds |",
        );
        // What is compressed is not as long as what was sent.
        let has_lens = row
            .cells
            .iter()
            .flatten()
            .any(|cell| cell.reply_len.is_some());
        let (name, rule) = if has_lens {
            (" bytes per reply |", "---:|")
        } else {
            ("", "")
        };
        text += &format!("{name}\n|---|{}{rule}\n", "---:|".repeat(10));
        for (column, contender) in self.contenders.iter().enumerate() {
            let cells = &row.cells[column];
            let costs = [Statistic::Minimum, Statistic::Median, Statistic::Maximum];
            let [Some(min), Some(median), Some(max)] =
                costs.map(|statistic| row.cost(column, statistic))
            else {
                continue;
            };
            let mean =
                |of: fn(&Cell) -> f64| cells.iter().map(of).sum::<f64>() / cells.len() as f64;
            let reply_len = match has_lens {
                true => format!(" {:.1} |", mean(|cell| cell.reply_len.unwrap_or_default())),
                false => String::new(),
            };
            let disturbed = cells.iter().filter(|cell| cell.is_disturbed()).count();
            text += &format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {disturbed} |{reply_len}\n",
                contender.name,
                three_figures(min),
                three_figures(median),
                three_figures(max),
                self.ratio(row, Kind::Floor, min, Statistic::Minimum),
                self.ratio(row, Kind::Floor, median, Statistic::Median),
                self.ratio(row, Kind::Peer, min, Statistic::Minimum),
                self.ratio(row, Kind::Peer, median, Statistic::Median),
                mean(|cell| cell.busy),
                mean(|cell| cell.generator_busy),
            );
        }
        text
    }

    /// Of a cost to that of the best contender of a kind.
    fn ratio(&self, row: &Row, reference: Kind, cost: f64, statistic: Statistic) -> String {
        let references =
            (0..self.contenders.len()).filter(|column| self.contenders[*column].kind == reference);
        match references
            .filter_map(|column| row.cost(column, statistic))
            .min_by(f64::total_cmp)
        {
            Some(best) => format!("{:.2}", cost / best),
            None => "-".to_owned(),
        }
    }

    /// Whom the others are compared with. Nothing that copies bytes compares with who compresses them.
    const fn reference(&self) -> (Kind, &'static str) {
        match self.pattern {
            Pattern::Echo | Pattern::Broadcast | Pattern::Arrivals | Pattern::Client => {
                (Kind::Floor, "floor")
            }
            Pattern::Deflated => (Kind::Peer, "peer"),
        }
    }
}

impl Row {
    fn cost(&self, column: usize, statistic: Statistic) -> Option<f64> {
        let cells = &self.cells[column];
        let calm = cells.iter().filter(|cell| !cell.is_disturbed());
        let mut costs: Vec<f64> = calm.map(|cell| cell.cost).collect();
        if costs.is_empty() {
            costs = cells.iter().map(|cell| cell.cost).collect();
        }
        costs.sort_by(f64::total_cmp);
        let middle = costs.len() / 2;
        match statistic {
            Statistic::Minimum => costs.first().copied(),
            Statistic::Maximum => costs.last().copied(),
            Statistic::Median if costs.len() % 2 == 1 => costs.get(middle).copied(),
            Statistic::Median => {
                Some((costs.get(middle.checked_sub(1)?)? + costs.get(middle)?) / 2.0)
            }
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
