//! Questions to schedulers over HTTP. They run beside the reconciling, so that a scheduler which does not answer delays its
//! own cluster only; their answers ask for another look at whoever asked.

use crate::action::{Answer, Ask, Key, Worker};
use crate::queue::Queue;
use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Questions at a time.
const AT_ONCE: usize = 32;
/// Bytes of the largest answer.
const LARGEST: usize = 1 << 20;
/// How long a scheduler may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to retire workers: it moves what they hold.
const RETIRE_PATIENCE: Duration = Duration::from_secs(70);
/// After this time an answer says nothing any more.
const STALE: Duration = Duration::from_secs(30);
/// The same for an answer by which a cluster is deleted.
const STALE_IDLE: Duration = Duration::from_secs(1);

/// Questions under way and their answers.
pub struct Calls {
    slots: Mutex<HashMap<Key, Slot>>,
    limit: Arc<Semaphore>,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Slot {
    is_under_way: bool,
    asked: Option<(Ask, Instant)>,
    answer: Option<(Answer, Instant)>,
}

impl Calls {
    /// Answers make objects of this queue due.
    pub fn new(queue: Arc<Queue>) -> Calls {
        Calls { slots: Mutex::default(), limit: Arc::new(Semaphore::new(AT_ONCE)), queue }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last answer to an object's question, while it is worth something.
    pub fn answer(&self, key: &Key) -> Option<Answer> {
        let slots = self.lock();
        let (answer, at) = slots.get(key)?.answer.as_ref()?;
        let stale = if matches!(answer, Answer::Idle(_)) { STALE_IDLE } else { STALE };
        (at.elapsed() < stale).then(|| answer.clone())
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Asks a scheduler for an object, unless a question is under way, or the same was asked less than `every` ago.
    pub fn ask(self: &Arc<Calls>, key: &Key, scheduler: SocketAddr, ask: &Ask, every: Duration) {
        {
            let mut slots = self.lock();
            let slot = slots.entry(key.clone()).or_default();
            let is_early = slot.asked.as_ref().is_some_and(|(a, at)| a == ask && at.elapsed() < every);
            if slot.is_under_way || is_early {
                return;
            }
            slot.is_under_way = true;
            slot.asked = Some((ask.clone(), Instant::now()));
        }
        let (calls, key, ask) = (Arc::clone(self), key.clone(), ask.clone());
        tokio::spawn(async move {
            let answer = match calls.limit.acquire().await {
                Ok(_permit) => put(scheduler, &ask).await,
                Err(_) => return,
            };
            if let Answer::Failed(why) = &answer {
                tracing::warn!(object = %key, %scheduler, "the scheduler did not answer: {why}");
            }
            if let Some(slot) = calls.lock().get_mut(&key) {
                slot.is_under_way = false;
                slot.answer = Some((answer, Instant::now()));
            }
            calls.queue.add(key);
        });
    }
}

/// Puts one question to a scheduler.
async fn put(scheduler: SocketAddr, ask: &Ask) -> Answer {
    let patience = if matches!(ask, Ask::Retire(_)) { RETIRE_PATIENCE } else { PATIENCE };
    let result = match tokio::time::timeout(patience, answer(scheduler, ask)).await {
        Ok(result) => result,
        Err(_) => return Answer::Failed(format!("no answer within {} s", patience.as_secs())),
    };
    match result {
        Ok(Some(answer)) => answer,
        Ok(None) => Answer::NoApi,
        Err(error) => Answer::Failed(format!("{error:#}")),
    }
}

async fn answer(scheduler: SocketAddr, ask: &Ask) -> Result<Option<Answer>> {
    let get = |path: &'static str| exchange(scheduler, Method::GET, path, None);
    Ok(match ask {
        Ask::Idle => get("/api/v1/check_idle").await?.map(|v| Answer::Idle(v["idle_since"].as_f64())),
        Ask::Target => match get("/api/v1/adaptive_target").await? {
            None => None,
            Some(v) => {
                let workers = v["workers"].as_i64().and_then(|n| i32::try_from(n).ok());
                Some(Answer::Target(
                    workers.filter(|n| *n >= 0).with_context(|| format!("not a number of workers: {v}"))?,
                ))
            }
        },
        Ask::Progress(job) => {
            let path = format!("/api/v1/jobs/{job}");
            exchange(scheduler, Method::GET, &path, None).await?.map(|v| Answer::Progress {
                done: v["done"].as_i64().unwrap_or(0),
                tasks: v["tasks"].as_i64().unwrap_or(0),
                seconds: v["seconds"].as_f64().unwrap_or(0.0),
            })
        }
        Ask::Retire(workers) => retire(scheduler, workers).await?,
    })
}

/// Retires workers by their addresses, never by a number: the scheduler knows nothing of groups.
async fn retire(scheduler: SocketAddr, workers: &[Worker]) -> Result<Option<Answer>> {
    let Some(known) = known(scheduler).await? else { return Ok(None) };
    let address_of = |w: &Worker| known.iter().find(|k| is_same(w, k)).map(|k| k.address.clone());
    let addresses: Vec<String> = workers.iter().filter_map(address_of).collect();
    let mut retired = BTreeSet::new();
    if !addresses.is_empty() {
        let body = json!({"workers": addresses});
        let Some(answer) = exchange(scheduler, Method::POST, "/api/v1/retire_workers", Some(&body)).await?
        else {
            return Ok(None);
        };
        retired.extend(answer.as_object().into_iter().flat_map(|map| map.keys().cloned()));
    }
    // Whoever the scheduler does not know holds nothing.
    let is_gone = |w: &&Worker| address_of(w).is_none_or(|address| retired.contains(&address));
    Ok(Some(Answer::Retired(workers.iter().filter(is_gone).map(|w| w.uid.clone()).collect())))
}

struct Known {
    name: String,
    address: String,
}

async fn known(scheduler: SocketAddr) -> Result<Option<Vec<Known>>> {
    let Some(answer) = exchange(scheduler, Method::GET, "/api/v1/get_workers", None).await? else {
        return Ok(None);
    };
    let workers = answer["workers"].as_array().with_context(|| format!("no list of workers: {answer}"))?;
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    Ok(Some(workers.iter().map(|w| Known { name: text(&w["name"]), address: text(&w["address"]) }).collect()))
}

/// Whether a pod is the worker that the scheduler knows: of the same name, or with the same address.
fn is_same(worker: &Worker, known: &Known) -> bool {
    let host = known.address.rsplit_once(':').map_or(known.address.as_str(), |(host, _)| host);
    let host = host.rsplit("//").next().unwrap_or(host).trim_matches(['[', ']']);
    known.name == worker.name || worker.ip.as_deref().is_some_and(|ip| ip == host)
}

/// One request; nothing when the page is not there. Redirects are not followed.
async fn exchange(
    scheduler: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<Value>> {
    let stream = TcpStream::connect(scheduler).await.context("cannot connect")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", scheduler.to_string())
        .header("content-type", "application/json")
        .header("connection", "close")
        .body(Full::new(Bytes::from(bytes)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let read = Limited::new(response.into_body(), LARGEST).collect().await;
    connection.abort();
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let bytes = match read {
        Ok(read) => read.to_bytes(),
        Err(error) => bail!("{path}: {error}"),
    };
    if !status.is_success() {
        bail!("{path}: {status}: {}", String::from_utf8_lossy(&bytes).chars().take(200).collect::<String>());
    }
    Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{path}: not JSON"))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use axum::{Json, Router};

    async fn serve(router: Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn worker(name: &str, ip: &str) -> Worker {
        Worker { uid: format!("uid-{name}"), name: name.into(), ip: Some(ip.into()) }
    }

    #[tokio::test]
    async fn workers_are_retired_by_address_and_only_those_the_scheduler_names_are_gone() {
        let known = json!({"num_workers": 3, "workers": [
            {"name": "a", "address": "tcp://10.0.0.1:4001"},
            {"name": 7, "address": "tcp://10.0.0.2:4002"},
            {"name": "c", "address": "tcp://10.0.0.3:4003"},
        ]});
        let retire = |Json(body): Json<Value>| async move {
            assert_eq!(body, json!({"workers": ["tcp://10.0.0.1:4001", "tcp://10.0.0.2:4002"]}));
            Json(json!({"tcp://10.0.0.2:4002": {"name": 7}}))
        };
        let router = Router::new()
            .route("/api/v1/get_workers", get(|| async move { Json(known) }))
            .route("/api/v1/retire_workers", post(retire));
        let workers = [worker("a", "10.9.9.9"), worker("b", "10.0.0.2"), worker("unknown", "10.0.0.9")];
        let answer = put(serve(router).await, &Ask::Retire(workers.to_vec())).await;
        assert_eq!(answer, Answer::Retired(vec!["uid-b".into(), "uid-unknown".into()]));
    }

    #[tokio::test]
    async fn a_scheduler_without_the_api_is_told_from_one_that_fails() {
        let router = Router::new()
            .route("/api/v1/adaptive_target", get(|| async { Json(json!({"workers": -3})) }))
            .route("/api/v1/jobs/j", get(|| async { Json(json!({"done": 3, "tasks": 9, "seconds": 1.5})) }));
        let address = serve(router).await;
        assert_eq!(put(address, &Ask::Idle).await, Answer::NoApi);
        assert_eq!(put(address, &Ask::Retire(vec![worker("a", "1.1.1.1")])).await, Answer::NoApi);
        assert!(matches!(put(address, &Ask::Target).await, Answer::Failed(why) if why.contains("-3")));
        let progress = Answer::Progress { done: 3, tasks: 9, seconds: 1.5 };
        assert_eq!(put(address, &Ask::Progress("j".into())).await, progress);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(matches!(put(nobody, &Ask::Idle).await, Answer::Failed(_)));
    }
}
