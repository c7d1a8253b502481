//! A headless Chromium, told what to do as its own tools do: the `DevTools` protocol, over a pair of pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// For one command, and for a page to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One browser with one page. Blocks the thread that uses it.
pub(crate) struct Browser {
    child: Child,
    commands: File,
    replies: Receiver<Value>,
    next: u64,
    page: String,
    directory: PathBuf,
}

impl Browser {
    /// `None` when Chromium is not installed.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|program| Command::new(program).arg("--version").output().is_ok())?;
        let directory =
            std::env::temp_dir().join(format!("seqpulse-browser-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let (commands, replies) = (directory.join("commands"), directory.join("replies"));
        let made = Command::new("mkfifo").args([&commands, &replies]).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        // Chromium reads commands from descriptor 3 and writes to 4.
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" --headless=new --no-sandbox --disable-gpu --disable-background-networking --no-first-run --user-data-dir=\"$3\" --remote-debugging-pipe 3<\"$1\" 4>\"$2\"", program])
            .args([&commands, &replies, &directory.join("profile")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium");
        let commands = OpenOptions::new()
            .write(true)
            .open(commands)
            .expect("a pipe");
        let replies = read_replies(File::open(replies).expect("a pipe"));
        let mut browser = Self {
            child,
            commands,
            replies,
            next: 0,
            page: String::new(),
            directory,
        };
        let target = browser.command("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.command(
            "Target.attachToTarget",
            &json!({"targetId": target["targetId"], "flatten": true}),
        );
        let session = attached["sessionId"].as_str().expect("a session");
        session.clone_into(&mut browser.page);
        Some(browser)
    }

    /// Sends a command and waits for what it answers.
    fn command(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let mut command = json!({"id": self.next, "method": method, "params": parameters});
        if !self.page.is_empty() {
            command["sessionId"] = self.page.as_str().into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("chromium listens");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let reply = self
                .replies
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("chromium does not answer {method}: {error}"));
            // Others are events.
            if reply["id"] == self.next {
                assert!(reply["error"].is_null(), "{method}: {}", reply["error"]);
                return reply["result"].clone();
            }
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true});
        self.command("Runtime.evaluate", &parameters)["result"]["value"].clone()
    }

    /// Opens an address and waits for the heading.
    pub(crate) fn open(&mut self, url: &str, heading: &str) {
        self.command("Page.navigate", &json!({"url": url}));
        self.wait_for(heading);
    }

    /// Waits until the page's heading is this one.
    pub(crate) fn wait_for(&mut self, heading: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.evaluate(
                "document.readyState === 'complete' && document.querySelector('h1')?.textContent",
            );
            let found = found.as_str().unwrap_or_default().replace('\u{a0}', " ");
            if found == heading {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{heading:?} is not shown but {found:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses the mouse button where an element is.
    pub(crate) fn press(&mut self, selector: &str) {
        let place = self.evaluate(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView(); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            self.command(
                "Input.dispatchMouseEvent",
                &json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}),
            );
        }
    }

    /// How wide the window is, in CSS pixels, and whether it is dark.
    pub(crate) fn window(&mut self, width: u32, dark: bool) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", &media);
    }

    /// Writes what is seen as a PNG.
    pub(crate) fn picture(&mut self, file: &Path) {
        let shot = self.command("Page.captureScreenshot", &json!({"format": "png"}));
        let png = STANDARD.decode(shot["data"].as_str().expect("a picture"));
        std::fs::write(file, png.expect("base64")).expect("a file");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Reads replies in a thread of its own, so that waiting for one can end.
fn read_replies(pipe: File) -> Receiver<Value> {
    let (told, replies) = channel();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
            bytes.pop();
            if serde_json::from_slice(&bytes).is_ok_and(|reply| told.send(reply).is_err()) {
                return;
            }
            bytes.clear();
        }
    });
    replies
}
