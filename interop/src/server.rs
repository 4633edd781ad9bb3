//! Real servers on loopback, each in a folder of its own, for the length of a test.

use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{env, fs, thread};

/// How long a server may take until it takes connections, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is started, where another program takes its port at that moment.
const ATTEMPTS: u32 = 3;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NATS, a broker of messages.
    Nats,
    /// PostgreSQL.
    Postgres,
}

/// A program, and where its libraries are, if that is not where the system looks.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program's file.
    pub path: PathBuf,
    /// Folders for `LD_LIBRARY_PATH`.
    pub libraries: Vec<PathBuf>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 2] = [Kind::Nats, Kind::Postgres];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Kind::Nats => "nats-server",
            Kind::Postgres => "postgres",
        }
    }

    /// Debian's package.
    pub fn package(self) -> &'static str {
        match self {
            Kind::Nats => "nats-server",
            Kind::Postgres => "postgresql",
        }
    }

    /// The program on this machine: the system's, or else the one that was fetched.
    pub fn find(self) -> Option<Program> {
        find(self.program())
    }

    /// What it says when it takes connections.
    fn ready(self) -> &'static str {
        match self {
            Kind::Nats => "Server is ready",
            Kind::Postgres => "ready to accept connections",
        }
    }
}

impl Server {
    /// Starts one, or says why that cannot be had here, and gives `None`: the test is skipped then.
    ///
    /// # Panics
    ///
    /// If there is one, but it does not start.
    pub fn start(kind: Kind) -> Option<Server> {
        match Server::try_start(kind) {
            Ok(server) => Some(server),
            Err(Trouble::Absent(why)) => {
                eprintln!("skipped: {why}");
                None
            }
            Err(Trouble::Broken(what)) => panic!("{} does not start: {what}", kind.program()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn try_start(kind: Kind) -> Result<Server, Trouble> {
        let program = kind.find().ok_or_else(|| {
            let name = kind.program();
            Trouble::Absent(format!(
                "there is no {name}: `cargo xtask interop` fetches it"
            ))
        })?;
        let folder = folder(kind)?;
        if kind == Kind::Postgres {
            if let Err(trouble) = init_postgres(&program, &folder) {
                let _ = fs::remove_dir_all(&folder);
                return Err(trouble);
            }
        }
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let address = free_port()?;
            let mut child = command(kind, &program, &folder, address)?.spawn()?;
            match wait_until_ready(kind, &mut child) {
                Ok(()) => {
                    return Ok(Server {
                        child,
                        address,
                        folder,
                    });
                }
                Err(said) => last = said,
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&folder);
        Err(Trouble::Broken(last))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // To each of these an interrupt is a request to end at once, but in order.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Why there is no server.
enum Trouble {
    /// It cannot be had here.
    Absent(String),
    /// It can, and fails.
    Broken(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Broken(error.to_string())
    }
}

/// Where fetched programs are: in the target folder that this very program is in.
pub fn fetched() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let target = program.ancestors().find(is_target);
    target.unwrap_or(Path::new("target")).join("servers")
}

fn find(name: &str) -> Option<Program> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut system: Vec<PathBuf> = env::split_paths(&path).collect();
    system.push("/usr/sbin".into());
    system.extend(each_in(Path::new("/usr/lib/postgresql"), "bin"));
    if let Some(path) = program_in(&system, name) {
        let libraries = Vec::new();
        return Some(Program { path, libraries });
    }
    let usr = fetched().join("usr");
    let mut own = vec![usr.join("bin"), usr.join("sbin")];
    own.extend(each_in(&usr.join("lib/postgresql"), "bin"));
    let mut libraries = vec![usr.join("lib")];
    libraries.extend(each_in(&usr.join("lib"), ""));
    let path = program_in(&own, name)?;
    Some(Program { path, libraries })
}

fn program_in(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let mut paths = folders.iter().map(|folder| folder.join(name));
    paths.find(|path| path.is_file())
}

/// `inside` in each folder that `folder` has.
fn each_in(folder: &Path, inside: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path().join(inside)).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

/// A new folder for a server's files.
fn folder(kind: Kind) -> io::Result<PathBuf> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("pirn-{}-{}-{number}", kind.program(), std::process::id());
    let folder = env::temp_dir().join(name);
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// A port that nobody listens at now.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The command that runs the server in the foreground.
fn command(
    kind: Kind,
    program: &Program,
    folder: &Path,
    address: SocketAddr,
) -> Result<Command, Trouble> {
    let mut command = program.command(&program.path, kind == Kind::Postgres)?;
    let port = address.port().to_string();
    match kind {
        Kind::Nats => command.args(["--addr", "127.0.0.1", "--port", &port]),
        Kind::Postgres => {
            let sockets = format!("unix_socket_directories={}", folder.display());
            command
                .args(["-h", "127.0.0.1", "-p", &port, "-c", "fsync=off", "-c"])
                .args([&sockets, "-D"])
                .arg(folder.join("data"))
        }
    };
    command.current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

impl Program {
    /// A command that ends with the thread that starts it, where `setpriv` can be had. With `drop_root`
    /// it is not run as root.
    fn command(&self, path: &Path, drop_root: bool) -> Result<Command, Trouble> {
        let setpriv = program_in(&["/usr/bin".into(), "/bin".into()], "setpriv");
        let root = drop_root && geteuid().is_root();
        let mut command = match setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                if root {
                    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
                }
                command.arg("--pdeathsig=INT").arg("--").arg(path);
                command
            }
            None if root => {
                let name = path.display();
                let why = format!("{name} does not run as root, and there is no setpriv");
                return Err(Trouble::Absent(why));
            }
            None => Command::new(path),
        };
        if !self.libraries.is_empty() {
            let libraries = env::join_paths(&self.libraries).map_err(io::Error::other)?;
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // Messages as they are waited for.
        command.env("LC_ALL", "C");
        Ok(command)
    }
}

/// Makes the files of a database.
fn init_postgres(program: &Program, folder: &Path) -> Result<(), Trouble> {
    if geteuid().is_root() {
        let nobody = nobody()?;
        std::os::unix::fs::chown(folder, Some(nobody), None)?;
    }
    let initdb = program.path.canonicalize()?.with_file_name("initdb");
    let can = program
        .command(&program.path, true)?
        .arg("--version")
        .output()?;
    if !can.status.success() {
        let said = String::from_utf8_lossy(&can.stderr).into_owned();
        return Err(Trouble::Absent(format!(
            "postgres does not run here: {said}"
        )));
    }
    let made = program
        .command(&initdb, true)?
        .args(["--auth=trust", "--no-sync", "--username=pirn", "-D"])
        .arg(folder.join("data"))
        .output()?;
    match made.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            Err(Trouble::Broken(format!("initdb: {said}")))
        }
    }
}

/// The number of the user that has no rights.
fn nobody() -> io::Result<u32> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("nobody:"));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    number.ok_or_else(|| io::Error::other("there is no user `nobody`"))
}

/// Waits for the server's word; what it says later is read and dropped. Otherwise gives what it said.
fn wait_until_ready(kind: Kind, child: &mut Child) -> Result<(), String> {
    let (sender, said) = mpsc::channel();
    let output = child.stderr.take().ok_or("it says nothing")?;
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut lines = Vec::new();
    loop {
        match said.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(kind.ready()) => return Ok(()),
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => return Err(lines.join("\n")),
            Err(RecvTimeoutError::Timeout) => {
                lines.push("and then nothing".into());
                return Err(lines.join("\n"));
            }
        }
    }
}
