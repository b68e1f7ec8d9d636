//! Which replica of the operator leads: whoever holds the Lease. The rules are those of Kubernetes' own controllers
//! (client-go, tools/leaderelection): a lease is judged by this machine's clock alone, from the moment at which a change of
//! it was seen.

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For so long a lease is good after it was renewed.
const DURATION: Duration = Duration::from_secs(15);
/// Writes end so long before that: they may be under way.
const MARGIN: Duration = Duration::from_secs(3);
/// How often it is renewed, or looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Whether this replica may write.
#[derive(Clone, Default)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    is_alone: bool,
}

impl Leadership {
    /// That of an operator that runs without a lease.
    pub fn alone() -> Leadership {
        Leadership { until: Arc::default(), is_alone: true }
    }

    /// Whether this replica may write now.
    pub fn holds(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_alone || until.is_some_and(|until| Instant::now() + MARGIN < until)
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// This replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    /// The lease as it was last seen to change, and when.
    observed: Option<(Option<String>, Instant)>,
}

impl Election {
    /// Takes part under an identity that no other replica has.
    pub fn new(client: kube::Client, namespace: &str, name: &str, identity: String) -> Election {
        Election {
            api: Api::namespaced(client, namespace),
            name: name.into(),
            identity,
            leadership: Leadership::default(),
            observed: None,
        }
    }

    /// Whether this replica leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until this replica leads.
    pub async fn win(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!("the lease cannot be had: {error:#}"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Renews the lease until it is lost.
    pub async fn keep(&mut self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            match tokio::time::timeout(DURATION - MARGIN, self.attempt()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!("the lease cannot be renewed: {error:#}"),
                Err(_) => tracing::warn!("the lease cannot be renewed: no answer"),
            }
            if !self.leadership.holds() {
                return;
            }
        }
    }

    /// Gives the lease back, so that the next replica need not wait.
    pub async fn release(&mut self) {
        let held = self.leadership.holds();
        self.leadership.set(None);
        if !held {
            return;
        }
        let release = async {
            let mut lease = self.api.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&*self.identity) {
                spec.holder_identity = None;
                self.api.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(3), release).await {
            tracing::debug!("the lease was not given back: {error}");
        }
    }

    /// Takes or renews the lease if that is this replica's right.
    async fn attempt(&mut self) -> Result<bool> {
        // The lease runs from before the request: whoever else reads it, reads it later.
        let began = Instant::now();
        let Some(mut lease) = self.api.get_opt(&self.name).await.context("reading it")? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            return match self.api.create(&PostParams::default(), &lease).await {
                Ok(_) => Ok(self.won(began)),
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
                Err(error) => Err(error).context("making it"),
            };
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let version = lease.metadata.resource_version.clone();
        if self.observed.as_ref().is_none_or(|(seen, _)| *seen != version) {
            self.observed = Some((version, began));
        }
        let is_ours = holder == self.identity;
        let lasts = spec
            .lease_duration_seconds
            .and_then(|s| u64::try_from(s).ok())
            .map_or(DURATION, Duration::from_secs);
        let is_over = self.observed.as_ref().is_none_or(|(_, since)| *since + lasts < began);
        if !is_ours && !holder.is_empty() && !is_over {
            self.leadership.set(None);
            return Ok(false);
        }
        let changes = spec.lease_transitions.unwrap_or(0) + i32::from(!is_ours);
        let mut new = self.spec(changes);
        if is_ours {
            new.acquire_time = spec.acquire_time;
        }
        lease.spec = Some(new);
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(_) => Ok(self.won(began)),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.leadership.set(None);
                Ok(false)
            }
            Err(error) => Err(error).context("renewing it"),
        }
    }

    fn won(&mut self, began: Instant) -> bool {
        self.leadership.set(Some(began + DURATION));
        true
    }

    fn spec(&self, changes: i32) -> LeaseSpec {
        let now = Timestamp::now();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(DURATION.as_secs()).unwrap_or(15)),
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(changes),
            ..LeaseSpec::default()
        }
    }
}
