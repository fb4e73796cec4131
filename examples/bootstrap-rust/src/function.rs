//! Returns the event and logs the number of events so far.

use crate::runtime::{Failure, Invocation};

pub struct State {
    served: u64,
}

pub fn initialize() -> Result<State, Failure> {
    Ok(State { served: 0 })
}

pub fn handle(state: &mut State, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    state.served += 1;
    println!("event {} of {} bytes until {}", state.served, invocation.event.len(), invocation.deadline_ms);
    if invocation.event.is_empty() {
        return Err("the event is empty".into());
    }
    Ok(invocation.event.clone())
}
