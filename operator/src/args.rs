//! The command line. Each option is a variable of the environment as well.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps DaskClusters, DaskWorkerGroups, DaskJobs and DaskAutoscalers on Kubernetes as their specs say.
#[derive(Debug, Parser)]
#[command(name = "dask-operator", version, about, max_term_width = 110)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines look, on standard error.
    #[arg(long, global = true, value_enum, default_value = "text", env = "DASK_OPERATOR_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug), or such as `info,dask_operator::watch=debug`.
    #[arg(long, global = true, default_value = "info", env = "DASK_OPERATOR_LOG")]
    pub log: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator.
    Run(Run),
    /// Prints the CustomResourceDefinitions, or writes them into a folder.
    Crd {
        /// Folder for one file a definition.
        folder: Option<PathBuf>,
    },
    /// Prints the fields of all kinds as a page of documentation.
    Fields,
    /// Waits, a minute at most, until a page of a running operator is answered with 200, and prints it.
    Check {
        /// Such as http://dask-operator.dask-operator:8080/readyz.
        url: http::Uri,
    },
}

/// Options of `run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// Namespaces to look after, with commas between them. Default: all.
    #[arg(long, env = "DASK_OPERATOR_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, default_value = "0.0.0.0:8080", env = "DASK_OPERATOR_LISTEN")]
    pub listen: String,
    /// Image of the native engine, for containers that name none. Default: the one of this version.
    #[arg(long, env = "DASK_OPERATOR_NATIVE_IMAGE")]
    pub native_image: Option<String>,
    /// Image of stock Dask, for containers that name none.
    #[arg(long, env = "DASK_OPERATOR_DASK_IMAGE")]
    pub dask_image: Option<String>,
    /// The cluster's DNS domain. Default: what /etc/resolv.conf says, else cluster.local.
    #[arg(long, env = "DASK_OPERATOR_CLUSTER_DOMAIN")]
    pub cluster_domain: Option<String>,
    /// Lead without a lease: for one replica, and for development.
    #[arg(long, env = "DASK_OPERATOR_NO_LEASE")]
    pub no_lease: bool,
    /// Namespace of the lease. Default: the operator's own.
    #[arg(long, env = "DASK_OPERATOR_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the lease.
    #[arg(long, default_value = "dask-operator", env = "DASK_OPERATOR_LEASE")]
    pub lease: String,
    /// Objects that are looked at side by side.
    #[arg(long, default_value_t = 16, env = "DASK_OPERATOR_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
}
