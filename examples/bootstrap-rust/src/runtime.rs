//! One connection to the Runtime API, one event after another. Errors and panics of the handler are reported, and the
//! process continues. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html

use std::any::Any;
use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;

const API: &str = "/2018-06-01/runtime";
/// Maximum number of consecutive reconnections while waiting for an event.
const RECONNECTIONS: usize = 5;

pub type Failure = Box<dyn Error + Send + Sync>;

pub struct Invocation {
    pub request_id: String,
    pub trace_id: String,
    /// Milliseconds since 1970.
    pub deadline_ms: u64,
    pub event: Vec<u8>,
}

/// Handles events until the environment ends. Every call of `handle` gets the value that `initialize` returned.
pub fn run<S>(
    initialize: impl FnOnce() -> Result<S, Failure>,
    handle: impl Fn(&mut S, &Invocation) -> Result<Vec<u8>, Failure>,
) -> ! {
    let address = env::var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    let mut api = Api { address, connection: None };
    let mut state = match initialize() {
        Ok(state) => state,
        Err(failure) => {
            let posted = api.post(
                "/init/error",
                Some("Runtime.InitFailed"),
                &describe(&failure.to_string(), "Runtime.InitFailed"),
            );
            eprintln!("bootstrap: {failure} ({posted:?})");
            exit(1);
        }
    };
    loop {
        if let Err(failure) = serve(&mut api, &mut state, &handle) {
            eprintln!("bootstrap: {failure}");
            exit(1);
        }
    }
}

fn serve<S>(
    api: &mut Api,
    state: &mut S,
    handle: &impl Fn(&mut S, &Invocation) -> Result<Vec<u8>, Failure>,
) -> io::Result<()> {
    let invocation = api.next()?;
    env::set_var("_X_AMZN_TRACE_ID", &invocation.trace_id);
    let id = &invocation.request_id;
    // A panic counts as a failure of the handler. Rust has logged its message already.
    match panic::catch_unwind(AssertUnwindSafe(|| handle(state, &invocation))) {
        Ok(Ok(result)) => api.post(&format!("/invocation/{id}/response"), None, &result),
        Ok(Err(failure)) => {
            eprintln!("{failure}");
            let body = describe(&failure.to_string(), "Function.Failed");
            api.post(&format!("/invocation/{id}/error"), Some("Function.Failed"), &body)
        }
        Err(panic) => {
            let body = describe(&panic_message(&*panic), "Function.Panicked");
            api.post(&format!("/invocation/{id}/error"), Some("Function.Panicked"), &body)
        }
    }
}

struct Api {
    address: String,
    connection: Option<BufReader<TcpStream>>,
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

impl Api {
    /// Waits without a timeout. Asking again is safe, because Lambda sends the same event again.
    fn next(&mut self) -> io::Result<Invocation> {
        let mut lost = 0;
        let response = loop {
            match self.call("GET", "/invocation/next", None, &[]) {
                Ok(response) => break response,
                Err(failure) if failure.kind() == io::ErrorKind::ConnectionRefused || lost == RECONNECTIONS => {
                    return Err(failure)
                }
                Err(_) => lost += 1,
            }
        };
        if response.status != 200 {
            return Err(io::Error::other(format!("GET next failed with status {}", response.status)));
        }
        Ok(Invocation {
            request_id: response.header("Lambda-Runtime-Aws-Request-Id").to_owned(),
            trace_id: response.header("Lambda-Runtime-Trace-Id").to_owned(),
            deadline_ms: response.header("Lambda-Runtime-Deadline-Ms").parse().unwrap_or(0),
            event: response.body,
        })
    }

    /// Sends a result or failure. A refusal (response too large, or too late) affects only this invocation.
    fn post(&mut self, path: &str, error_type: Option<&str>, body: &[u8]) -> io::Result<()> {
        let response = self.call("POST", path, error_type, body)?;
        if response.status >= 300 {
            eprintln!("bootstrap: POST {path}: {} {}", response.status, String::from_utf8_lossy(&response.body));
        }
        Ok(())
    }

    fn call(&mut self, method: &str, path: &str, error_type: Option<&str>, body: &[u8]) -> io::Result<Response> {
        let result = self.exchange(method, path, error_type, body);
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    fn exchange(&mut self, method: &str, path: &str, error_type: Option<&str>, body: &[u8]) -> io::Result<Response> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut().expect("the connection was just opened");
        let mut request = format!("{method} {API}{path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(error_type) = error_type {
            request += &format!("Lambda-Runtime-Function-Error-Type: {error_type}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        connection.get_mut().write_all(&bytes)?;
        read_response(connection)
    }
}

/// Lambda sends events of more than 2 KiB in chunks, everything else with a Content-Length.
fn read_response(connection: &mut BufReader<TcpStream>) -> io::Result<Response> {
    let status_line = read_line(connection)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the response is not HTTP"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if response.header("Transfer-Encoding").eq_ignore_ascii_case("chunked") {
        response.body = read_chunks(connection)?;
    } else {
        response.body.resize(response.header("Content-Length").parse().unwrap_or(0), 0);
        connection.read_exact(&mut response.body)?;
    }
    Ok(response)
}

fn read_chunks(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&read_line(connection)?, 16).map_err(io::Error::other)?;
        let start = body.len();
        body.resize(start + size, 0);
        connection.read_exact(&mut body[start..])?;
        read_line(connection)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if connection.read_until(b'\n', &mut bytes)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// `{"errorMessage":...,"errorType":...}`
fn describe(message: &str, error_type: &str) -> Vec<u8> {
    let mut text = String::new();
    for character in message.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            control if control < ' ' => text += &format!("\\u{:04x}", control as u32),
            other => text.push(other),
        }
    }
    format!("{{\"errorMessage\":\"{text}\",\"errorType\":\"{error_type}\"}}").into_bytes()
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| text.to_string());
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the handler panicked".to_owned())
}
