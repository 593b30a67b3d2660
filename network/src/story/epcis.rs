//! Reading the events of the demo's EPCIS documents: 2.0 as JSON-LD, 1.2 as XML. Enough for these
//! documents; the full formats are not the business of this program.

use serde_json::Value;

use crate::failure::{Exit, Failure, Result};

/// What a story needs of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// `commissioning`, `packing`, `shipping`, …
    pub(super) step: String,
    /// The units it is about, or the children of `parent`.
    pub(super) epcs: Vec<String>,
    /// The container.
    pub(super) parent: String,
    /// GLN of where it happened.
    pub(super) gln: String,
    /// GLN of the party the goods go to.
    pub(super) to_gln: String,
    /// The shipment.
    pub(super) shipment: String,
    /// The lot.
    pub(super) lot: String,
    /// The last day of use.
    pub(super) expiry: String,
}

/// Events of an EPCIS 2.0 document.
pub(super) fn from_json(document: &str) -> Result<Vec<Event>> {
    let document: Value = serde_json::from_str(document)
        .map_err(|error| Failure::new(Exit::Failed, "read an EPCIS document").because(error))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(text).collect()
    };
    let events = document["epcisBody"]["eventList"].as_array().into_iter().flatten();
    let event = |event: &Value| {
        let (units, children) = (list(&event["epcList"]), list(&event["childEPCs"]));
        Event {
            step: text(&event["bizStep"]),
            epcs: if units.is_empty() { children } else { units },
            parent: text(&event["parentID"]),
            gln: gln(&text(&event["bizLocation"]["id"])),
            lot: text(&event["ilmd"]["cbvmda:lotNumber"]),
            expiry: text(&event["ilmd"]["cbvmda:itemExpirationDate"]),
            ..Event::default()
        }
    };
    Ok(events.map(event).collect())
}

/// Events of an EPCIS 1.2 document.
pub(super) fn from_xml(document: &str) -> Vec<Event> {
    let list = inner(document, "EventList").into_iter().next().unwrap_or_default();
    let objects = positions(list, "ObjectEvent");
    let mut events = [objects, positions(list, "AggregationEvent")].concat();
    events.sort_by_key(|(position, _)| *position);
    let event = |(_, event): (usize, &str)| {
        let first = |tag: &str| inner(event, tag).first().map(|it| it.trim().to_owned());
        let step = first("bizStep").unwrap_or_default();
        Event {
            step: step.rsplit(':').next().unwrap_or_default().to_owned(),
            epcs: inner(event, "epc").into_iter().map(|epc| epc.trim().to_owned()).collect(),
            parent: first("parentID").unwrap_or_default(),
            gln: gln(&first("id").unwrap_or_default()),
            to_gln: gln(&first("destination").unwrap_or_default()),
            shipment: first("bizTransaction").unwrap_or_default(),
            ..Event::default()
        }
    };
    events.into_iter().map(event).collect()
}

/// The contents of all elements with a name, none of them inside another of that name.
fn inner<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    positions(text, tag).into_iter().map(|(_, content)| content).collect()
}

fn positions<'a>(text: &'a str, tag: &str) -> Vec<(usize, &'a str)> {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(&open).map(|at| from + at) {
        let after = start + open.len();
        from = after;
        // `<epcList>` is no `<epc>`.
        let Some(end_of_tag) = text[after..].find('>').map(|at| after + at) else { break };
        let named = matches!(text.as_bytes().get(after), Some(b'>' | b' ' | b'\n'));
        if !named || text[after..end_of_tag].ends_with('/') {
            continue;
        }
        let Some(end) = text[end_of_tag..].find(&close).map(|at| end_of_tag + at) else { break };
        found.push((start, &text[end_of_tag + 1..end]));
        from = end + close.len();
    }
    found
}

/// The GLN-13 in `urn:epc:id:sgln:company.location.extension`.
pub(super) fn gln(urn: &str) -> String {
    let Some(rest) = urn.strip_prefix("urn:epc:id:sgln:") else { return String::new() };
    let mut parts = rest.split('.');
    let body: String = parts.by_ref().take(2).collect();
    format!("{body}{}", check_digit(&body))
}

/// The GTIN-14 and serial in `urn:epc:id:sgtin:company.indicator+item.serial`.
pub(super) fn sgtin(urn: &str) -> Option<(String, String)> {
    let mut parts = urn.strip_prefix("urn:epc:id:sgtin:")?.splitn(3, '.');
    let (company, item, serial) = (parts.next()?, parts.next()?, parts.next()?);
    let (indicator, item) = item.split_at_checked(1)?;
    let body = format!("{indicator}{company}{item}");
    Some((format!("{body}{}", check_digit(&body)), serial.to_owned()))
}

/// GS1's check digit: weights 3 and 1 from the right.
fn check_digit(body: &str) -> u32 {
    let digits = body.chars().rev().filter_map(|c| c.to_digit(10));
    let weighed = digits.enumerate().map(|(at, digit)| if at % 2 == 0 { digit * 3 } else { digit });
    (10 - weighed.sum::<u32>() % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::super::pharma::{MAKING, MOVING};
    use super::*;

    #[test]
    fn both_documents_read() {
        let making = from_json(MAKING).unwrap();
        let steps: Vec<_> = making.iter().map(|event| event.step.as_str()).collect();
        assert_eq!(steps, ["commissioning", "packing", "packing", "packing"]);
        assert_eq!((making[0].epcs.len(), making[1].epcs.len()), (6, 3));
        assert_eq!(making[0].gln, "0399999000017");
        assert_eq!(making[0].expiry, "2029-09-30");

        let moving = from_xml(MOVING);
        let steps: Vec<_> = moving.iter().map(|event| event.step.as_str()).collect();
        assert_eq!(steps, ["shipping", "receiving", "unpacking", "unpacking"]);
        assert_eq!(moving[0].epcs, ["urn:epc:id:sscc:0399999.3000000001"]);
        assert_eq!(
            (moving[0].gln.as_str(), moving[0].to_gln.as_str()),
            ("0399999000017", "0614141000012")
        );
        assert_eq!(moving[0].shipment, "NF-SHIP-4471");
        assert_eq!(moving[3].parent, "urn:epc:id:sscc:0399999.1000000001");
    }

    #[test]
    fn identifiers_convert() {
        let unit = sgtin("urn:epc:id:sgtin:0399999.010130.1001").unwrap();
        assert_eq!(unit, ("00399999101301".to_owned(), "1001".to_owned()));
        assert_eq!(sgtin("urn:epc:id:sscc:0399999.1"), None);
    }
}
