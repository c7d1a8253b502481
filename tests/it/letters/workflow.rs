//! The steps that E-ACT-02 hands out, run as a runner of GitHub Actions would: their lines, taken from the letter as it arrives,
//! against a stand-in of the application's two calls.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{sample, visible, with, written};

const KEY: &str = "SP_0123456789abcdef0123456789abcdef";

/// What the application knows and was asked.
#[derive(Default)]
struct State {
    /// Answered to every trigger instead of taking it: a status and an error.
    refuses: Option<(u16, &'static str)>,
    by_key: HashMap<String, String>,
    running: HashMap<String, String>,
    finished: Vec<(String, String)>,
    keys: Vec<String>,
}

/// The two calls of the CI integration, with the answers and in the order of checks that the application has.
struct Api {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Api {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &served);
            }
        });
        Self { address, state }
    }

    fn refuse(&self, status: u16, error: &'static str) {
        self.state.lock().unwrap().refuses = Some((status, error));
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, answer) = answer(&path, &headers, &body, &mut state.lock().unwrap());
    let answer = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
    .unwrap();
}

fn answer(
    path: &str,
    headers: &HashMap<String, String>,
    body: &[u8],
    state: &mut State,
) -> (u16, Value) {
    let error = |status, error: &str| (status, json!({ "detail": { "error": error } }));
    match headers.get("x-api-key").map(String::as_str) {
        None => return error(422, "header missing"),
        Some(KEY) => {}
        Some(_) => return error(401, "INVALID_API_KEY"),
    }
    let json_body = headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/json");
    let Some(body) = serde_json::from_slice::<Value>(body)
        .ok()
        .filter(|_| json_body)
    else {
        return error(422, "malformed");
    };
    match path {
        "/deployments/trigger" => {
            let Some(env) = body["env"].as_str() else {
                return error(422, "env missing");
            };
            if let Some((status, what)) = state.refuses {
                return error(status, what);
            }
            let key = headers
                .get("x-idempotency-key")
                .cloned()
                .unwrap_or_default();
            assert!(!key.is_empty() && key.len() <= 255, "key {key:?}");
            state.keys.push(key.clone());
            // Keys are common to all projects; a deployment that still runs in the environment is joined.
            if let Some(id) = state.by_key.get(&key).or_else(|| state.running.get(env)) {
                return (200, json!({ "status": "existing", "deployment_id": id }));
            }
            let id = format!("c2a4e6f8-1b3d-4f5a-9c7e-{:012x}", state.by_key.len() + 1);
            state.by_key.insert(key, id.clone());
            state.running.insert(env.to_owned(), id.clone());
            (200, json!({ "status": "created", "deployment_id": id }))
        }
        "/deployments/finish" => {
            let (id, result) = (body["deployment_id"].as_str(), body["result"].as_str());
            let (Some(id), Some(result @ ("success" | "failed"))) = (id, result) else {
                return error(422, "result or deployment_id");
            };
            if id.parse::<uuid::Uuid>().is_err() {
                return error(422, "deployment_id");
            }
            if !state.by_key.values().any(|known| known == id) {
                return (200, json!({ "status": "not_found" }));
            }
            state.running.retain(|_, running| running != id);
            state.finished.push((id.to_owned(), result.to_owned()));
            (200, json!({ "status": "accepted" }))
        }
        _ => error(404, "no such path"),
    }
}

/// The code of a letter's text part.
fn workflow(letter: &letters::Letter) -> String {
    let start = letter.text.find("env:\n").unwrap();
    let end = letter.text[start..]
        .find("\n\nSEQPULSE_API_KEY est")
        .unwrap();
    letter.text[start..start + end].to_owned()
}

/// The lines of the step of this name, without their indentation.
fn step<'a>(workflow: &'a str, name: &str) -> Vec<&'a str> {
    workflow
        .lines()
        .skip_while(|line| *line != format!("- name: {name}"))
        .skip(1)
        .take_while(|line| !line.starts_with("- "))
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect()
}

/// What its `run: |` says.
fn script(step: &[&str]) -> String {
    step.iter()
        .skip_while(|line| **line != "run: |")
        .skip(1)
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A runner's job: trigger, a deployment that ends in `status`, finish. Answers the id it was given.
fn run(api: &Api, workflow: &str, run_id: &str, env: &str, status: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    std::fs::write(&output, "").unwrap();
    let bash = |script: &str, more: &[(&str, &str)]| {
        let done = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env("SEQPULSE_BASE_URL", &api.address)
            .env("SEQPULSE_API_KEY", KEY)
            .env("SEQPULSE_ENV", env)
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_REPOSITORY", "acme/checkout")
            .env("GITHUB_RUN_ID", run_id)
            .env("GITHUB_RUN_ATTEMPT", "1")
            .envs(more.iter().copied())
            .output()
            .unwrap();
        assert!(done.status.success(), "{script}\n{done:?}");
    };
    bash(&script(&step(workflow, "SEQPULSE trigger")), &[]);
    let written = std::fs::read_to_string(&output).unwrap();
    let id = written.trim_end().strip_prefix("id=").unwrap().to_owned();
    // if: always() && steps.seqpulse.outputs.id != ''
    if !id.is_empty() {
        bash(
            &script(&step(workflow, "SEQPULSE finish")),
            &[("ID", &id), ("STATUS", status)],
        );
    }
    id
}

#[test]
fn the_workflow_tells_the_application_of_a_deployment() {
    let workflow = workflow(&written(&sample("E-ACT-02")));
    let finish = step(&workflow, "SEQPULSE finish");
    for line in [
        "if: always() && steps.seqpulse.outputs.id != ''",
        "continue-on-error: true",
        "  ID: ${{ steps.seqpulse.outputs.id }}",
        "  STATUS: ${{ job.status }}",
    ] {
        assert!(finish.contains(&line), "{line}: {finish:?}");
    }
    assert!(step(&workflow, "SEQPULSE trigger").contains(&"continue-on-error: true"));
    assert!(workflow.contains("  SEQPULSE_ENV: prod\n"), "{workflow}");

    let api = Api::start();
    let mut ids = Vec::new();
    for (number, status) in ["success", "failure", "cancelled"].iter().enumerate() {
        ids.push(run(&api, &workflow, &format!("9{number}"), "prod", status));
    }
    let state = api.state.lock().unwrap();
    let results: Vec<_> = ids
        .iter()
        .cloned()
        .zip(["success", "failed", "failed"].map(str::to_owned))
        .collect();
    assert_eq!(state.finished, results);
    assert!(state.running.is_empty(), "{:?}", state.running);
}

#[test]
fn a_refusal_or_silence_does_not_stop_the_deployment() {
    let workflow = workflow(&written(&sample("E-ACT-02")));
    for (status, error) in [
        (402, "QUOTA_EXCEEDED"),
        (423, "PROJECT_ENDPOINT_BLOCKED"),
        (409, "ENDPOINT_MISMATCH"),
        (429, "rate limited"),
        (400, "unknown environment"),
        (500, "oops"),
    ] {
        let api = Api::start();
        api.refuse(status, error);
        assert_eq!(run(&api, &workflow, "1", "prod", "success"), "", "{error}");
        assert!(api.state.lock().unwrap().finished.is_empty(), "{error}");
    }
    // Nobody listens there any more.
    let gone = Api {
        address: format!(
            "http://{}",
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        ),
        state: Arc::default(),
    };
    assert_eq!(run(&gone, &workflow, "1", "prod", "success"), "");
}

#[test]
fn one_run_that_deploys_twice_is_two_deployments() {
    let api = Api::start();
    let checkout = workflow(&written(&sample("E-ACT-02")));
    let other = workflow(&written(&with(
        sample("E-ACT-02"),
        "project_id",
        "3f0c9a52-6f0d-4c7e-9d0b-5a1c7e2b9f10",
    )));
    let ids = [
        run(&api, &checkout, "77", "prod", "success"),
        run(&api, &checkout, "77", "staging", "success"),
        run(&api, &other, "77", "prod", "success"),
    ];
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "{ids:?}"
    );
    // The same step run again, without a new attempt, is the same deployment.
    assert_eq!(run(&api, &checkout, "77", "prod", "success"), ids[0]);
    let keys = api.state.lock().unwrap().keys.clone();
    assert!(keys.iter().all(|key| key.contains("-77-1")), "{keys:?}");
}

#[test]
fn the_html_part_has_the_same_code() {
    let letter = written(&sample("E-ACT-02"));
    let code: String = workflow(&letter)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let html: String = visible(&letter.html)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(html.contains(&code), "{code}\n{html}");
}
