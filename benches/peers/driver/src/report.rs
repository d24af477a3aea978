//! The Markdown tables.

use std::collections::BTreeMap;

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind};
use crate::round::Seen;
use crate::scenario::{Pattern, Scenario};
use crate::server::Spent;

/// One round of one contender.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// CPU time per reply, delivery or connection, in microseconds: the lower quartile of the round's turns. What a
    /// neighbour does to caches and clock rate makes every second turn half as dear again, and none cheaper.
    cost: f64,
    /// Share of the window that the contender, and the generator, had a core.
    busy: f64,
    generator_busy: f64,
    /// Payload bytes on the wire per reply, where the contenders differ in that.
    reply_len: Option<f64>,
}

impl Cell {
    /// Of the turns of a round.
    pub fn new(turns: &[(Spent, Seen)]) -> Self {
        let (mut spent, mut seen) = (Spent::default(), Seen::default());
        for (turn, of_turn) in turns {
            spent += *turn;
            seen += *of_turn;
        }
        let cost = |(spent, seen): &(Spent, Seen)| spent.process.as_secs_f64() * 1e6 / seen.replies;
        let mut costs: Vec<f64> = turns.iter().map(cost).collect();
        costs.sort_by(f64::total_cmp);
        Self {
            cost: costs.get(costs.len() / 4).copied().unwrap_or(f64::NAN),
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
    /// The rounds of each contender, in the order of the table's contenders. A round that failed is not there.
    cells: Vec<BTreeMap<usize, Cell>>,
}

/// Of the undisturbed rounds, or of all where none is undisturbed. Medians are what a quiet machine is quoted by;
/// minima leave out what a busy neighbour does to caches and clock rate.
#[derive(Debug, Clone, Copy)]
enum Statistic {
    Minimum,
    Median,
    Maximum,
}

impl Statistic {
    /// Of what is sorted.
    fn of(self, sorted: &[f64]) -> Option<f64> {
        let middle = sorted.len() / 2;
        match self {
            Self::Minimum => sorted.first().copied(),
            Self::Maximum => sorted.last().copied(),
            Self::Median if sorted.len() % 2 == 1 => sorted.get(middle).copied(),
            Self::Median => Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0),
        }
    }
}

impl Table {
    pub fn new(pattern: Pattern, contenders: &[Contender]) -> Self {
        Self {
            pattern,
            contenders: contenders.to_vec(),
            scenarios: Vec::new(),
        }
    }

    pub fn add(&mut self, scenario: &Scenario, contender: &Contender, round: usize, cell: Cell) {
        if self
            .scenarios
            .last()
            .is_none_or(|row| row.name != scenario.name)
        {
            let cells = vec![BTreeMap::new(); self.contenders.len()];
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
            row.cells[column].insert(round, cell);
        }
    }

    /// Empty without a scenario. Every heading stands between empty lines.
    pub fn text(&self, arguments: &Arguments) -> String {
        if self.scenarios.is_empty() {
            return String::new();
        }
        let (who, unit) = match self.pattern {
            Pattern::Echo => ("Server", "message"),
            Pattern::Deflated => ("Server", "compressed message"),
            Pattern::Broadcast => ("Server", "delivery"),
            Pattern::Arrivals => ("Server", "connection"),
            Pattern::Client => ("Client", "message"),
        };
        let mut text = format!(
            "\n## {who} CPU time per {unit}, microseconds (ratio to the best {} of the run)\n",
            self.reference().1,
        );
        if self.pattern == Pattern::Deflated {
            text += "\nThe best peer is the best of those that take the context over. The replies of those named \
                     \"no takeover\" refer to nothing before them, and are longer.\n";
        }
        let rounds = format!("of {} rounds of {:?}", arguments.rounds, arguments.window);
        text += &format!(
            "\nMedians {rounds}, and the medians of each round's ratios:\n\n{}\n",
            self.summary(Statistic::Median)
        );
        text += &format!(
            "\nMinima {rounds}:\n\n{}\n",
            self.summary(Statistic::Minimum)
        );
        for row in &self.scenarios {
            text += &format!("\n## {} {}\n\n", row.name, row.description);
            text += &self.detail(row);
            text += &self.to_each_peer(row);
        }
        text
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
                        let ratio = self.ratio(row, self.reference().0, column, statistic);
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
            "| contender | min | median | max | to the best floor: minima | rounds | to the best peer: minima | \
             rounds | busy | generator busy | disturbed rounds |",
        );
        // What is compressed is not as long as what was sent.
        let has_lens = row
            .cells
            .iter()
            .flat_map(BTreeMap::values)
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
                |of: fn(&Cell) -> f64| cells.values().map(of).sum::<f64>() / cells.len() as f64;
            let reply_len = match has_lens {
                true => format!(" {:.1} |", mean(|cell| cell.reply_len.unwrap_or_default())),
                false => String::new(),
            };
            let disturbed = cells.values().filter(|cell| cell.is_disturbed()).count();
            text += &format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {disturbed} |{reply_len}\n",
                contender.name,
                three_figures(min),
                three_figures(median),
                three_figures(max),
                self.ratio(row, Kind::Floor, column, Statistic::Minimum),
                self.ratio(row, Kind::Floor, column, Statistic::Median),
                self.ratio(row, Kind::Peer, column, Statistic::Minimum),
                self.ratio(row, Kind::Peer, column, Statistic::Median),
                mean(|cell| cell.busy),
                mean(|cell| cell.generator_busy),
            );
        }
        text
    }

    /// Ours beside every peer, where there is one of each.
    fn to_each_peer(&self, row: &Row) -> String {
        let with_rounds = |is_wanted: fn(&Contender) -> bool| -> Vec<usize> {
            (0..self.contenders.len())
                .filter(|column| {
                    is_wanted(&self.contenders[*column]) && !row.cells[*column].is_empty()
                })
                .collect()
        };
        let peers = with_rounds(|contender| contender.kind == Kind::Peer);
        let ours = with_rounds(is_ours_as_first_written);
        if peers.is_empty() || ours.is_empty() {
            return String::new();
        }
        let mut text = String::from(
            "\nOurs to each peer: median of the rounds' ratios (minimum to maximum):\n\n| peer |",
        );
        for column in &ours {
            text += &format!(" {} |", self.contenders[*column].name);
        }
        text += &format!("\n|---|{}\n", "---:|".repeat(ours.len()));
        for peer in peers {
            text += &format!("| {} |", self.contenders[peer].name);
            for column in &ours {
                let ratios = [Statistic::Median, Statistic::Minimum, Statistic::Maximum];
                text += &match ratios.map(|statistic| row.paired(*column, peer, statistic)) {
                    [Some(median), Some(min), Some(max)] => {
                        format!(" {median:.2} ({min:.2} to {max:.2}) |")
                    }
                    _ => " - |".to_owned(),
                };
            }
            text += "\n";
        }
        text
    }

    /// Of a contender's cost to that of the best of a kind: of their minima; or, for the median, of what they cost in
    /// the same round, since a shared machine may be half as fast in one round as in another, but is so for both. Who takes
    /// no context over sends other bytes, and is nobody's measure.
    fn ratio(&self, row: &Row, reference: Kind, column: usize, statistic: Statistic) -> String {
        let best = (0..self.contenders.len())
            .filter(|column| {
                let contender = &self.contenders[*column];
                contender.kind == reference && contender.takes_context_over()
            })
            .filter_map(|column| Some((column, row.cost(column, statistic)?)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        let ratio = best.and_then(|(best, least)| match statistic {
            Statistic::Minimum => Some(row.cost(column, statistic)? / least),
            Statistic::Median | Statistic::Maximum => row.paired(column, best, statistic),
        });
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
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

/// Who is in no table, and why. Empty where nobody is left out.
pub fn left_out(contenders: &[(Contender, String)], arguments: &Arguments) -> String {
    if contenders.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n## Left out, wrong in the correctness pass\n\n");
    for (contender, why) in contenders {
        let scenarios: Vec<&str> = contender.pattern.wanted(arguments).collect();
        text += &format!("- {} ({}): {why}\n", contender.name, scenarios.join(", "));
    }
    text
}

/// Ours, of each binding the loop that a user writes first. Compression and broadcasts have none: a preset or a way has to
/// be chosen, and each of them is here.
fn is_ours_as_first_written(contender: &Contender) -> bool {
    contender.kind == Kind::Ours
        && match contender.pattern {
            Pattern::Echo | Pattern::Arrivals | Pattern::Client => contender.arguments.is_empty(),
            Pattern::Deflated | Pattern::Broadcast => true,
        }
}

impl Row {
    fn cost(&self, column: usize, statistic: Statistic) -> Option<f64> {
        let cells = self.cells[column].values();
        of_the_calm(
            cells.map(|cell| (cell.cost, cell.is_disturbed())),
            statistic,
        )
    }

    /// Of a contender's cost to that of another in the same round.
    fn paired(&self, column: usize, other: usize, statistic: Statistic) -> Option<f64> {
        let rounds = self.cells[column].iter().filter_map(|(round, cell)| {
            let other = self.cells[other].get(round)?;
            let is_disturbed = cell.is_disturbed() || other.is_disturbed();
            Some((cell.cost / other.cost, is_disturbed))
        });
        of_the_calm(rounds, statistic)
    }
}

/// Of the rounds' figures, each with whether something disturbed it.
fn of_the_calm(figures: impl Iterator<Item = (f64, bool)>, statistic: Statistic) -> Option<f64> {
    let (disturbed, calm): (Vec<_>, Vec<_>) = figures.partition(|(_, is_disturbed)| *is_disturbed);
    let rounds = if calm.is_empty() { disturbed } else { calm };
    let mut figures: Vec<f64> = rounds.into_iter().map(|(figure, _)| figure).collect();
    figures.sort_by(f64::total_cmp);
    statistic.of(&figures)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender;
    use crate::scenario;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse(words.iter().map(ToString::to_string)).expect("they are arguments")
    }

    /// The table of the only scenario wanted, of the contenders of these names: each with what it cost, round by round.
    fn table(arguments: &Arguments, costs: &[(&str, &[f64])]) -> Table {
        let scenario = scenario::ALL
            .iter()
            .find(|scenario| arguments.wants(scenario.name))
            .expect("it is a scenario");
        let known = contender::chosen(arguments);
        let contenders: Vec<Contender> = costs
            .iter()
            .map(|(name, _)| {
                let named = known.iter().find(|contender| contender.name == *name);
                *named.unwrap_or_else(|| panic!("{name} is no contender of {}", scenario.name))
            })
            .collect();
        let mut table = Table::new(scenario.pattern, &contenders);
        for (contender, (_, costs)) in contenders.iter().zip(costs) {
            for (round, cost) in costs.iter().enumerate() {
                table.add(scenario, contender, round, calm(*cost));
            }
        }
        table
    }

    fn calm(cost: f64) -> Cell {
        Cell {
            cost,
            busy: 1.0,
            generator_busy: 1.0,
            reply_len: None,
        }
    }

    #[test]
    fn an_empty_line_stands_before_and_behind_every_heading() {
        let arguments = arguments(&["--scenarios", "S1"]);
        let table = table(
            &arguments,
            &[("fastwebsockets", &[1.0]), ("ws-async", &[2.0])],
        );
        // Two patterns follow one another in a report.
        let text = table.text(&arguments).repeat(2);
        let lines: Vec<&str> = text.lines().collect();
        let headings: Vec<&[&str]> = lines
            .windows(3)
            .filter(|lines| lines[1].starts_with('#'))
            .collect();
        assert_eq!(headings.len(), 4, "{text}");
        for around in headings {
            assert!(around[0].is_empty() && around[2].is_empty(), "{around:?}");
        }
    }

    /// What `text` says of each peer.
    fn each_peer(text: &str) -> Vec<&str> {
        text.lines()
            .skip_while(|line| !line.starts_with("| peer |"))
            .take_while(|line| line.starts_with('|'))
            .collect()
    }

    #[test]
    fn ours_is_compared_with_each_peer_round_by_round() {
        let arguments = arguments(&["--scenarios", "S1"]);
        let mut table = table(
            &arguments,
            &[
                ("raw epoll, 128 KiB buffer", &[1.0, 1.0, 1.0]),
                ("fastwebsockets", &[10.0, 20.0, 40.0]),
                ("wtx", &[5.0, 5.0, 5.0]),
                ("soketto", &[]),
                ("ws-async", &[9.0, 10.0, 30.0]),
                ("ws-async, feed", &[1.0, 1.0, 1.0]),
                ("ws-sync, blocking threads", &[20.0, 10.0]),
            ],
        );
        let mut disturbed = calm(10_000.0);
        disturbed.generator_busy = 0.5;
        let (scenario, sync) = (&scenario::ALL[0], table.contenders[6]);
        table.add(scenario, &sync, 2, disturbed);
        assert_eq!(
            each_peer(&table.text(&arguments)),
            [
                "| peer | ws-async | ws-sync, blocking threads |",
                "|---|---:|---:|",
                "| fastwebsockets | 0.75 (0.50 to 0.90) | 1.25 (0.50 to 2.00) |",
                "| wtx | 2.00 (1.80 to 6.00) | 3.00 (2.00 to 4.00) |",
            ]
        );
    }

    #[test]
    fn a_peer_that_shares_no_round_with_ours_has_no_ratio() {
        let arguments = arguments(&["--scenarios", "S1"]);
        let mut table = table(&arguments, &[("wtx", &[]), ("ws-async", &[1.0])]);
        let wtx = table.contenders[0];
        table.add(&scenario::ALL[0], &wtx, 1, calm(1.0));
        let text = table.text(&arguments);
        assert_eq!(each_peer(&text).last(), Some(&"| wtx | - |"), "{text}");
    }

    #[test]
    fn each_preset_and_each_way_is_compared() {
        let deflated = arguments(&["--scenarios", "S8a"]);
        let costs: &[(&str, &[f64])] = &[
            ("yawc", &[4.0]),
            ("ws-async, default", &[1.0]),
            ("ws-async, ultra, feed", &[2.0]),
            ("ws-sync, ultra", &[3.0]),
        ];
        let text = table(&deflated, costs).text(&deflated);
        assert_eq!(
            each_peer(&text).last(),
            Some(&"| yawc | 0.25 (0.25 to 0.25) | 0.50 (0.50 to 0.50) | 0.75 (0.75 to 0.75) |"),
            "{text}"
        );
        let broadcast = arguments(&["--scenarios", "S11"]);
        let costs: &[(&str, &[f64])] = &[
            ("yawc, loop", &[4.0]),
            ("ws-async, Hub", &[1.0]),
            ("ws-async, loop", &[2.0]),
        ];
        let text = table(&broadcast, costs).text(&broadcast);
        assert_eq!(
            each_peer(&text).first(),
            Some(&"| peer | ws-async, Hub | ws-async, loop |"),
            "{text}"
        );
    }

    #[test]
    fn without_a_peer_nothing_is_said_of_peers() {
        let arguments = arguments(&["--scenarios", "S1"]);
        let floor = ("raw epoll, 128 KiB buffer", [1.0].as_slice());
        for other in ["ws-async", "fastwebsockets"] {
            let text = table(&arguments, &[floor, (other, &[2.0])]).text(&arguments);
            assert!(!text.contains("each peer"), "{text}");
        }
    }

    #[test]
    fn who_is_left_out_is_named_with_its_scenarios_and_the_reason() {
        let arguments = arguments(&["--scenarios", "S2,S8,S9"]);
        let known = contender::chosen(&arguments);
        let soketto = |pattern| {
            let named = known.iter().find(|contender| {
                contender.name.starts_with("soketto") && contender.pattern == pattern
            });
            *named.expect("it has both")
        };
        let left_out = [
            (soketto(Pattern::Echo), "0 B: it closed".to_owned()),
            (
                soketto(Pattern::Deflated),
                "compression was declined".to_owned(),
            ),
        ];
        assert_eq!(
            super::left_out(&left_out, &arguments),
            format!(
                "\n## Left out, wrong in the correctness pass\n\n- soketto (S2, S9): 0 B: it closed\n\
                 - {} (S8a, S8b): compression was declined\n",
                left_out[1].0.name
            )
        );
        assert_eq!(super::left_out(&[], &arguments), "");
    }

    #[test]
    fn the_best_peer_takes_the_context_over() {
        let arguments = arguments(&["--scenarios", "S8a"]);
        let costs: &[(&str, &[f64])] = &[
            ("yawc", &[4.0]),
            ("sockudo-ws", &[5.0]),
            ("soketto, no takeover", &[2.0]),
            ("ws-async, default", &[3.0]),
        ];
        let text = table(&arguments, costs).text(&arguments);
        for row in [
            "| yawc | 4.00 (1.00) |",
            "| soketto, no takeover | 2.00 (0.50) |",
            "| ws-async, default | 3.00 (0.75) |",
            "| ws-async, default | 3.00 | 3.00 | 3.00 | - | - | 0.75 | 0.75 | 1.00 | 1.00 | 0 |",
            "| soketto, no takeover | 1.50 (1.50 to 1.50) |",
        ] {
            assert!(text.lines().any(|line| line == row), "{row}\n{text}");
        }
        assert!(text.contains("take the context over"), "{text}");
    }
}
