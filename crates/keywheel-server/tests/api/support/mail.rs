//! A mail server on this machine that takes what it is told, without TLS.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// When a test gives up waiting. What is waited for comes at once.
const GIVE_UP: Duration = Duration::from_secs(20);
const GREETING: &str = "220 mail.example ESMTP\r\n";
const EXTENSIONS: &str = "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n";

/// A mail as it came.
#[derive(Debug, Default, Clone)]
pub struct ReceivedMail {
    /// What was said behind `AUTH PLAIN`.
    pub login: String,
    pub to: Vec<String>,
    pub text: String,
}

impl ReceivedMail {
    /// A header, unfolded; empty if it is not there.
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.text.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let found = head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_default().to_owned()
    }

    /// The text below the headers.
    pub fn body(&self) -> String {
        let (_, body) = self.text.split_once("\r\n\r\n").unwrap();
        // Quoted-printable breaks long lines.
        body.replace("=\r\n", "")
    }
}

type Log = Arc<Mutex<Vec<String>>>;
type Answers = Arc<Mutex<VecDeque<&'static str>>>;

/// A mail server.
pub struct MailServer {
    pub address: String,
    said: Log,
    answers: Answers,
    received: UnboundedReceiver<ReceivedMail>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, received) = unbounded_channel();
        let (said, answers) = (Log::default(), Answers::default());
        let (log, next) = (Arc::clone(&said), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&log), Arc::clone(&next), sender.clone()));
            }
        });
        Self {
            address,
            said,
            answers,
            received,
        }
    }

    /// What the next mails are answered with instead of 250.
    pub fn answer(&self, answers: &[&'static str]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// Every command so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// The next mail, refused ones too.
    pub async fn next(&mut self) -> ReceivedMail {
        tokio::time::timeout(GIVE_UP, self.received.recv())
            .await
            .expect("a mail came")
            .unwrap()
    }
}

async fn talk(stream: TcpStream, said: Log, answers: Answers, sender: UnboundedSender<ReceivedMail>) {
    let mut stream = BufReader::new(stream);
    let mut mail = ReceivedMail::default();
    stream.write_all(GREETING.as_bytes()).await.unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        said.lock().unwrap().push(line.trim_end().to_owned());
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" => EXTENSIONS,
            "AUTH" => {
                mail.login = line.trim_end().trim_start_matches("AUTH PLAIN ").to_owned();
                "235 welcome\r\n"
            }
            "RCPT" => {
                mail.to.push(line.trim_end().to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                while !mail.text.ends_with("\r\n.\r\n") {
                    assert_ne!(stream.read_line(&mut mail.text).await.unwrap(), 0);
                }
                let answer = answers.lock().unwrap().pop_front();
                // The test may be over.
                let _ = sender.send(std::mem::take(&mut mail));
                answer.unwrap_or("250 taken\r\n")
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
