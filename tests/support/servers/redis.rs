//! Redis (or Valkey): one server, a cluster of six, and servers of a test's own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Process, Space, free_port, left_out, program};

/// One server.
#[derive(Debug)]
pub struct Server {
    process: Option<Process>,
    command: Vec<String>,
    pub port: u16,
}

fn binary() -> Option<PathBuf> {
    program("SESSION_TESTS_REDIS", &["redis-server", "valkey-server"], &["/usr/bin", "/usr/sbin"])
}

/// `redis-cli`, beside the server or where programs are.
fn cli() -> PathBuf {
    let beside = binary().and_then(|server| Some(server.parent()?.join("redis-cli")));
    let names = ["redis-cli", "valkey-cli"];
    let installed = || program("SESSION_TESTS_REDIS_CLI", &names, &["/usr/bin"]);
    beside.filter(|it| it.is_file()).or_else(installed).expect("redis-cli is installed")
}

fn directory(what: &str) -> PathBuf {
    tempfile::Builder::new().prefix(what).tempdir().expect("a directory").keep()
}

impl Server {
    /// Starts one with these settings, or says that it is left out.
    pub fn start(settings: &[&str]) -> Option<Self> {
        let Some(program) = binary() else {
            left_out("the Redis store", "redis-server");
            return None;
        };
        let port = free_port();
        let mut command = vec![program.display().to_string()];
        let port_text = port.to_string();
        let fixed =
            ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--loglevel", "notice"];
        command.extend(fixed.into_iter().chain(settings.iter().copied()).map(str::to_owned));
        let mut server = Self { process: None, command, port };
        server.start_in(directory("redis"));
        Some(server)
    }

    /// One whose files are on a small disk, and written with every change.
    pub fn start_on(space: &Space) -> Option<Self> {
        let program = binary()?.display().to_string();
        let port = free_port();
        let mut command = space.prefix();
        let (port_text, place) = (port.to_string(), space.path().display().to_string());
        let fixed = [&program, "--port", &port_text, "--bind", "127.0.0.1", "--dir", &place];
        let kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
        command.extend(fixed.into_iter().chain(kept).map(str::to_owned));
        let mut server = Self { process: None, command, port };
        server.start_in(directory("redis"));
        Some(server)
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid()
    }

    fn start_in(&mut self, directory: PathBuf) {
        let command: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let process = Process::start(directory, &command);
        process.wait_until("a PONG", || (self.ask(&["PING"]).trim() == "PONG").then_some(()));
        self.process = Some(process);
    }

    /// Stops it, and starts it again on the same port and files.
    pub fn restart(&mut self) {
        let directory = self.process.take().expect("it runs").stop();
        self.start_in(directory);
    }

    /// The same, with more settings.
    pub fn restart_with(&mut self, settings: &[&str]) {
        self.command.extend(settings.iter().map(|&it| it.to_owned()));
        self.restart();
    }

    /// Makes the user `web` with these rights, and tells the URL for it.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    pub fn url_for(&self, rights: &[&str]) -> String {
        let new = ["ACL", "SETUSER", "web", "reset", "on", ">password"];
        let said = self.ask(&[&new, rights].concat());
        assert_eq!(said.trim(), "OK", "{rights:?}");
        self.url().replace("://", "://web:password@")
    }

    /// Stops it for now; [`start_again`](Self::start_again) undoes that.
    pub fn stop(&mut self) -> PathBuf {
        self.process.take().expect("it runs").stop()
    }

    pub fn start_again(&mut self, directory: PathBuf) {
        self.start_in(directory);
    }

    pub fn signal(&self, signal: &str) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub fn ask(&self, command: &[&str]) -> String {
        let mut cli = Command::new(cli());
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(command);
        let output = cli.stderr(Stdio::null()).output().expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A primary, its replica, and three sentinels that watch them.
#[derive(Debug)]
pub struct Watched {
    pub primary: Server,
    pub replica: Server,
    pub sentinels: Vec<Server>,
}

impl Watched {
    pub fn start() -> Option<Self> {
        let primary = Server::start(&[])?;
        let replica = primary.start_replica()?;
        let sentinels: Option<Vec<_>> = (0..3).map(|_| sentinel(primary.port)).collect();
        let sentinels = sentinels?;
        for one in &sentinels {
            let ready = || {
                let replicas = one.ask(&["SENTINEL", "REPLICAS", "sessions"]);
                let others = one.ask(&["SENTINEL", "SENTINELS", "sessions"]);
                let all = replicas.contains("master-link-status\nok")
                    && others.matches("runid\n").count() == 2;
                all.then_some(())
            };
            one.process.as_ref().expect("it runs").wait_until("all that there is", ready);
        }
        Some(Self { primary, replica, sentinels })
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
        format!("redis+sentinel://{}/sessions", hosts.join(","))
    }
}

/// Two of three of them are to agree.
fn sentinel(primary: u16) -> Option<Server> {
    Server::start_sentinel(primary, 2, "")
}

impl Server {
    /// A sentinel that watches the server on this port under the name `sessions`,
    /// with more settings, a line each.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_sentinel(primary: u16, quorum: u8, more: &str) -> Option<Self> {
        let port = free_port();
        let place = directory("sentinel");
        let file = place.join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\n{more}\n\
         sentinel monitor sessions 127.0.0.1 {primary} {quorum}\n\
         sentinel down-after-milliseconds sessions 500\n\
         sentinel failover-timeout sessions 3000\n",
        );
        std::fs::write(&file, settings).expect("a file");
        let words = [binary()?.display().to_string(), file.display().to_string()];
        let command = words.into_iter().chain(["--sentinel".to_owned()]).collect();
        let mut sentinel = Self { process: None, command, port };
        sentinel.start_in(place);
        Some(sentinel)
    }
}

impl Server {
    /// A replica that has copied what is there.
    pub fn start_replica(&self) -> Option<Self> {
        let of = format!("127.0.0.1 {}", self.port);
        let replica = Self::start(&["--replicaof", &of, "--repl-diskless-sync-delay", "0"])?;
        replica.process.as_ref().expect("it runs").wait_until("master_link_status:up", || {
            replica.ask(&["INFO", "replication"]).contains("link_status:up").then_some(())
        });
        Some(replica)
    }
}

/// The rights that the documentation lists for a feature.
///
/// # Panics
///
/// If it lists none.
pub fn rights(feature: &str) -> Vec<&'static str> {
    let document = include_str!("../../../docs/redis.md");
    let block = document.split("```text\n").nth(1).and_then(|it| it.split("```").next());
    let mut lines = block.expect("a block of rights").lines();
    lines.find(|line| *line == format!("# {feature}")).expect(feature);
    let rights = lines.take_while(|line| !line.starts_with('#'));
    rights.flat_map(|line| line.split_whitespace()).collect()
}

/// The server of this test program.
pub fn single() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[])).as_ref()
}

/// Three primaries with a replica each.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: Vec<Server>,
}

impl Cluster {
    pub fn start() -> Option<Self> {
        let settings = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let mut nodes = Vec::new();
        for _ in 0..6 {
            nodes.push(Server::start_cluster_node(&settings)?);
        }
        let addresses: Vec<String> =
            nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let mut command = vec!["--cluster", "create"];
        command.extend(addresses.iter().map(String::as_str));
        command.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        let said = nodes[0].ask(&command);
        assert!(said.contains("[OK] All 16384 slots covered"), "{said}");
        let cluster = Self { nodes };
        // Told to be a replica, a node is a primary without slots for a moment, and
        // says for a second nothing of what it has copied.
        let follows = |primary: &&Server| {
            let said = primary.ask(&["INFO", "replication"]);
            said.contains("state=online") && !said.contains("state=online,offset=0,")
        };
        let replicas = || (cluster.nodes.iter().filter(follows).count() == 3).then_some(());
        let process = cluster.nodes[0].process.as_ref().expect("it runs");
        process.wait_until("a replica of each primary", replicas);
        cluster.wait_until_whole();
        Some(cluster)
    }

    /// Waits until every node knows all slots to be served.
    pub fn wait_until_whole(&self) {
        let running = self.nodes.iter().filter(|node| node.process.is_some());
        for node in running {
            node.process.as_ref().expect("it runs").wait_until("cluster_state:ok", || {
                node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
            });
            // A replica that has copied nothing yet takes over for nobody.
            node.process.as_ref().expect("it runs").wait_until("master_link_status:up", || {
                let said = node.ask(&["INFO", "replication"]);
                let whole = said.contains("role:master") || said.contains("link_status:up");
                whole.then_some(())
            });
        }
    }

    /// Waits until every replica has what its primary has now.
    pub fn wait_until_copied(&self) {
        let number = |node: &Server, name: &str| -> Option<u64> {
            let said = node.ask(&["INFO", "replication"]);
            said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        for node in &self.nodes {
            let Some(port) = number(node, "master_port:") else { continue };
            let primary = self.nodes.iter().find(|it| u64::from(it.port) == port);
            let written = primary.and_then(|primary| number(primary, "master_repl_offset:"));
            let copied = || number(node, "slave_repl_offset:") >= written;
            let process = node.process.as_ref().expect("it runs");
            process.wait_until("slave_repl_offset", || copied().then_some(()));
        }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The nodes that are primaries now.
    pub fn primaries(&self) -> Vec<usize> {
        let is_primary =
            |node: &Server| node.process.is_some() && node.ask(&["ROLE"]).starts_with("master");
        (0..self.nodes.len()).filter(|i| is_primary(&self.nodes[*i])).collect()
    }
}

impl Cluster {
    /// The same as [`Server::url_for`], on every node.
    pub fn url_for(&self, rights: &[&str]) -> String {
        self.nodes.iter().for_each(|node| drop(node.url_for(rights)));
        self.url().replace("://", "://web:password@")
    }
}

impl Server {
    /// A cluster of one node, which serves all slots.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start_cluster_of_one() -> Option<Self> {
        let node = Self::start_cluster_node(&["--cluster-enabled", "yes"])?;
        assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).trim(), "OK");
        node.process.as_ref().expect("it runs").wait_until("cluster_state:ok", || {
            node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
        });
        Some(node)
    }

    fn start_cluster_node(settings: &[&str]) -> Option<Self> {
        // Else the bus listens 10000 above the port, where no port may be.
        let bus = free_port().to_string();
        let mut all = settings.to_vec();
        all.extend(["--cluster-port", &bus]);
        Self::start(&all)
    }
}

/// The cluster of this test program.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start).as_ref()
}

/// A prefix that no other test has; the keys of all of them are `t*`.
pub fn fresh_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}:", NEXT.fetch_add(1, Ordering::Relaxed))
}
