//! What the cases ask for. Panics for `fail`, so that a panic is seen to be survived.

use crate::runtime::{Failure, Invocation};

pub struct State {
    served: u64,
}

pub fn initialize() -> Result<State, Failure> {
    match std::env::var("_HANDLER").as_deref() {
        Ok("missing.handler") => Err("there is no missing.handler".into()),
        _ => Ok(State { served: 0 }),
    }
}

pub fn handle(state: &mut State, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    state.served += 1;
    let event = String::from_utf8_lossy(&invocation.event);
    let has = |what: &str| event.get(..20.min(event.len())).is_some_and(|start| start.contains(what));
    if has("\"do\":\"fail\"") {
        let message = event.split_once("\"message\":\"").expect("a message").1;
        let message = &message[..message.len() - 2];
        panic!("{}", message.replace("\\\"", "\"").replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\"));
    }
    if has("\"do\":\"size\"") {
        let size = event.split_once("\"size\":").expect("a size").1.trim_end_matches('}').parse()?;
        return Ok(format!("\"{}\"", "x".repeat(size)).into_bytes());
    }
    if has("\"do\":\"trace\"") {
        return Ok(format!("\"{}\"", std::env::var("_X_AMZN_TRACE_ID")?).into_bytes());
    }
    if has("\"do\":\"count\"") {
        return Ok(state.served.to_string().into_bytes());
    }
    if has("\"do\":\"log\"") {
        println!("to standard output");
        eprintln!("to standard error");
        return Ok(b"null".to_vec());
    }
    let _ = (&invocation.request_id, invocation.deadline_ms);
    Ok(invocation.event.clone())
}
