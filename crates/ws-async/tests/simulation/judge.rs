//! What must hold after every conversation.

use std::time::Duration;

use ws_async::{CloseCode, CloseInfo, Initiator, MessageKind};
use ws_testkit::oracle::{WireFrame, frames};

use crate::journal::{Fate, Journal, Sent};
use crate::message::{DISTINCT_LEN, hand_of};
use crate::run::Outcome;
use crate::scenario::{End, Hands};

/// Timers count milliseconds and round up.
const TICK: Duration = Duration::from_millis(2);

/// What may be read ahead of an unfinished message, and Pings and Pongs besides.
const AHEAD: usize = 16 * 1024 + 17 * 131;

/// Frames of control, of which there may be some beyond the write buffer's mark.
const CONTROL: usize = 1024;

/// A message on the wire.
struct OnWire {
    kind: MessageKind,
    payload: Vec<u8>,
    begin: usize,
    end: usize,
}

/// What one end has written.
#[derive(Default)]
struct Wire {
    messages: Vec<OnWire>,
    /// Whether a message was begun and not finished.
    is_unfinished: bool,
    pings: Vec<Vec<u8>>,
    pongs: Vec<Vec<u8>>,
    close: Option<Vec<u8>>,
    /// Where that ends.
    close_end: usize,
    /// Where the whole frames end.
    end: usize,
}

/// Everything that is wrong with `outcome`.
pub(crate) fn judge(outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    let wires = [0, 1].map(|side| {
        let said = |complaint: String| format!("end {side}: {complaint}");
        let read = read_wire(&outcome.written[side], side);
        let (wire, complaints) = read;
        wrong.extend(complaints.into_iter().map(said));
        wire
    });
    for side in [0, 1] {
        let journal = &outcome.journals[side];
        let end = &outcome.scenario.ends[side];
        let mut complaints = journal.complaints.clone();
        sent_is_on_the_wire(journal, end, &wires[side], &mut complaints);
        received_was_sent(outcome, side, &wires[1 - side], &mut complaints);
        pongs_answer_pings(&wires[side], &wires[1 - side], &mut complaints);
        memory_is_bounded(outcome, side, &wires[1 - side], &mut complaints);
        closes_are_in_time(journal, end, &mut complaints);
        for info in &journal.endings {
            ending_is_true(info, &wires[side], &wires[1 - side], &mut complaints);
        }
        if outcome.scenario.calm && outcome.violations.is_empty() {
            all_is_well(outcome, side, &wires, &mut complaints);
        }
        wrong.extend(
            complaints
                .into_iter()
                .map(|text| format!("end {side}: {text}")),
        );
    }
    wrong
}

/// Frames to messages, with a word on whatever may not be on a wire.
fn read_wire(bytes: &[u8], side: usize) -> (Wire, Vec<String>) {
    let mut wire = Wire::default();
    let mut wrong = Vec::new();
    let mut open: Option<OnWire> = None;
    for frame in frames(bytes) {
        let WireFrame { end, .. } = frame;
        let begin = std::mem::replace(&mut wire.end, end);
        if frame.masked != (side == 0) {
            wrong.push(format!("the frame at {begin} is masked: {}", frame.masked));
        }
        if wire.close.is_some() && frame.opcode != 10 {
            let opcode = frame.opcode;
            wrong.push(format!("opcode {opcode} at {begin}, behind the Close"));
        }
        match frame.opcode {
            8 => {
                wire.close = Some(frame.payload);
                wire.close_end = end;
            }
            9 => wire.pings.push(frame.payload),
            10 => wire.pongs.push(frame.payload),
            opcode => {
                if (opcode == 0) != open.is_some() {
                    wrong.push(format!("opcode {opcode} at {begin}, out of order"));
                }
                let kind = match opcode {
                    1 => MessageKind::Text,
                    _ => MessageKind::Binary,
                };
                let message = open.get_or_insert(OnWire {
                    kind,
                    payload: Vec::new(),
                    begin,
                    end,
                });
                message.payload.extend(frame.payload);
                message.end = end;
                if frame.fin {
                    wire.messages.extend(open.take());
                }
            }
        }
    }
    wire.is_unfinished = open.is_some();
    let rest = &bytes[wire.end..];
    if wire.close.is_some() && rest.first().is_some_and(|first| *first != 0x8a) {
        wrong.push(format!("{} bytes behind the Close", rest.len()));
    }
    (wire, wrong)
}

/// What each hand sent is on the wire, once and in its order; what was flushed is there by then.
fn sent_is_on_the_wire(journal: &Journal, end: &End, wire: &Wire, wrong: &mut Vec<String>) {
    let hands = match &end.hands {
        Hands::One(_) => 0..1,
        Hands::Split { senders, .. } => 1..senders.len() + 1,
    };
    let is_alone = hands.len() == 1;
    for hand in hands {
        let mut on_wire = wire
            .messages
            .iter()
            .filter(|message| is_alone || hand_of(&message.payload) == hand)
            .peekable();
        for sent in journal.sent.iter().filter(|sent| sent.hand == hand) {
            // A short one that was refused looks like others that were not.
            let is_told_apart = sent.message.len() >= DISTINCT_LEN;
            if sent.fate == Fate::NotQueued && !is_told_apart {
                continue;
            }
            let found = on_wire.next_if(|found| is_same(sent, found));
            match (sent.fate, found) {
                (Fate::NotQueued, Some(found)) => {
                    wrong.push(format!("a message was not sent, but is at {}", found.begin));
                }
                (Fate::Flushed(position), Some(found)) if found.end > position => {
                    let end = found.end;
                    wrong.push(format!("flushed at {position}, but it ends at {end}"));
                }
                (Fate::Flushed(_), None) => {
                    let len = sent.message.len();
                    wrong.push(format!("{len} bytes of hand {hand} were flushed and lost"));
                }
                _ => {}
            }
        }
        if let Some(strange) = on_wire.next() {
            let begin = strange.begin;
            wrong.push(format!(
                "nobody sent the message at {begin} for hand {hand}"
            ));
        }
    }
}

fn is_same(sent: &Sent, on_wire: &OnWire) -> bool {
    sent.message.kind() == on_wire.kind && sent.message.as_bytes() == on_wire.payload
}

/// What was received is what the peer sent, from the first message on.
fn received_was_sent(outcome: &Outcome, side: usize, peer: &Wire, wrong: &mut Vec<String>) {
    let journal = &outcome.journals[side];
    let mut sent = peer.messages.iter();
    for (index, received) in journal.received.iter().enumerate() {
        let is_it = |on_wire: &&OnWire| match &received.message {
            Some(message) => {
                message.kind() == on_wire.kind && message.as_bytes() == on_wire.payload
            }
            None => true,
        };
        let may_miss_some = journal.gaps_from.is_some_and(|from| index >= from);
        let found = match may_miss_some {
            true => sent.find(is_it),
            false => sent.next().filter(is_it),
        };
        let len = received.message.as_ref().map_or(0, |message| message.len());
        match found {
            None if received.message.is_none() => {}
            None => {
                wrong.push(format!("message {index} of {len} bytes was not sent so"));
                return;
            }
            Some(found) if found.end > received.read_len && received.message.is_some() => {
                wrong.push(format!("message {index} was received before it was read"));
            }
            Some(_) => {}
        }
    }
}

/// Each Pong has the data of a Ping, in the order of the Pings.
fn pongs_answer_pings(wire: &Wire, peer: &Wire, wrong: &mut Vec<String>) {
    let mut pings = peer.pings.iter();
    for pong in &wire.pongs {
        if !pings.any(|ping| ping == pong) {
            wrong.push(format!("a Pong for no Ping: {pong:?}"));
        }
    }
}

/// The queue has a limit, and what is read but not received has one.
fn memory_is_bounded(outcome: &Outcome, side: usize, peer: &Wire, wrong: &mut Vec<String>) {
    let end = &outcome.scenario.ends[side];
    let journal = &outcome.journals[side];
    let sent = journal.sent.iter().map(|sent| sent.message.len());
    let longest = sent.max().unwrap_or(0);
    let fragments = longest / end.config.fragment_size.unwrap_or(usize::MAX).max(1) + 1;
    let high = end
        .config
        .write_buffer_high
        .min(end.config.write_buffer_limit);
    let limit = high.max(1) + longest + 14 * fragments + CONTROL;
    if journal.most_queued > limit {
        let most = journal.most_queued;
        wrong.push(format!("{most} bytes were queued, {limit} may be"));
    }
    // One read gives at most what fits into the network.
    let capacity = outcome.scenario.plan.links[1 - side].capacity;
    let in_step = journal.gaps_from.unwrap_or(usize::MAX);
    for (received, message) in journal.received.iter().zip(&peer.messages).take(in_step) {
        let unseen = received.read_len.saturating_sub(message.end);
        if unseen > capacity.saturating_add(AHEAD) {
            wrong.push(format!("{unseen} bytes were read ahead"));
        }
    }
}

/// `close` keeps its deadline, whatever the network does.
fn closes_are_in_time(journal: &Journal, end: &End, wrong: &mut Vec<String>) {
    let Some(limit) = end.config.close_timeout else {
        return;
    };
    for took in &journal.closes {
        if *took > limit + TICK {
            wrong.push(format!("close took {took:?} and not {limit:?}"));
        }
    }
}

/// What is told of an end is what the wires saw.
fn ending_is_true(info: &CloseInfo, wire: &Wire, peer: &Wire, wrong: &mut Vec<String>) {
    let code_of = |close: &Option<Vec<u8>>| {
        close.as_ref().map(|body| {
            let code = body
                .first_chunk::<2>()
                .map(|code| u16::from_be_bytes(*code));
            code.map(CloseCode::new)
        })
    };
    if let Some(received) = &info.received {
        let code = received.as_ref().map(|frame| frame.code);
        let reason = received.as_ref().map_or("", |frame| frame.reason.as_str());
        let body = peer.close.as_deref().unwrap_or_default();
        let on_wire = body.get(2..).unwrap_or_default();
        if code_of(&peer.close) != Some(code) || on_wire != reason.as_bytes() {
            wrong.push(format!("the Close received is not the peer's: {info:?}"));
        }
    }
    if info.sent != code_of(&wire.close) {
        wrong.push(format!("the Close sent is not on the wire: {info:?}"));
    }
    let crossed = info.received.is_some() && info.sent.is_some() && info.failure.is_none();
    if info.clean != crossed {
        wrong.push(format!("clean or not: {info:?}"));
    }
    if info.clean && info.code() == CloseCode::ABNORMAL {
        wrong.push(format!("clean and 1006: {info:?}"));
    }
}

/// Where nothing can go wrong, nothing did.
fn all_is_well(outcome: &Outcome, side: usize, wires: &[Wire; 2], wrong: &mut Vec<String>) {
    let journal = &outcome.journals[side];
    // While a stream holds back something nobody can tell what the end has cut off: it may be a Pong behind the Close.
    let holds_back = outcome.scenario.plan.sockets[side].holds_back > 0;
    let is_doubt = |error: &&String| holds_back && error.ends_with("not connected");
    let errors = journal.errors.iter().filter(|error| !is_doubt(error));
    wrong.extend(errors.cloned());
    let Some(info) = journal.endings.last() else {
        wrong.push("nobody saw the end".to_owned());
        return;
    };
    if journal.endings.iter().any(|other| other != info) || !info.clean {
        wrong.push(format!("the end was not clean: {:?}", journal.endings));
    }
    // A Pong behind it may come too late.
    if wires[side].close_end > outcome.sent[side] {
        wrong.push("the Close was held back".to_owned());
    }
    let queued = journal.sent.iter().filter(|sent| sent.fate == Fate::Queued);
    for sent in queued {
        if !wires[side]
            .messages
            .iter()
            .any(|found| is_same(sent, found))
        {
            let len = sent.message.len();
            wrong.push(format!("{len} bytes were queued and lost"));
        }
    }
    let arrived = journal.received.len();
    let sent = wires[1 - side].messages.len();
    // The last one may have been begun, and skipped, and never finished.
    let skipped_last = journal
        .received
        .last()
        .is_some_and(|last| last.message.is_none());
    let may_exceed = usize::from(skipped_last && wires[1 - side].is_unfinished);
    let hears_all = !journal.stopped_receiving && journal.gaps_from.is_none();
    if hears_all && !(sent..=sent + may_exceed).contains(&arrived) {
        wrong.push(format!("{arrived} of {sent} messages arrived"));
    }
    let peer = outcome.journals[1 - side].endings.last();
    if let Some(peer) = peer {
        let heard = peer.received.as_ref();
        let heard = heard.map(|frame| frame.as_ref().map(|frame| frame.code));
        if info.sent != heard {
            wrong.push(format!("sent {:?}, but {heard:?} was heard", info.sent));
        }
        if [info, peer].map(|info| info.initiator) == [Initiator::Remote; 2] {
            wrong.push("each says that the other began to close".to_owned());
        }
    }
}
