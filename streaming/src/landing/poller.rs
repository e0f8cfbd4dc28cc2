//! The ways to and from the polling thread.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use uuid::Uuid;

use super::batch::Batch;
use super::place::{Key, Placed};

/// What others tell the polling thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Partitions asked about can be read.
    Placed(Vec<Placed>),
    /// A batch ended: landed, or dropped with the place to read on from.
    Done { key: Key, generation: u64, end: End },
    /// Something about these changed outside: find their place anew.
    Recheck(Vec<Key>),
}

/// How a batch handed to a writer ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Everything before this offset is landed.
    Landed { next: i64 },
    /// Read on from here; nothing of the batch counts.
    Fenced { next: i64 },
    /// Find the place anew.
    Void,
}

/// A batch for the writers.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) topic_id: Uuid,
    pub(super) batch: Batch,
}

/// The way to the polling thread.
#[derive(Clone, Debug)]
pub(super) struct Poller {
    commands: std::sync::mpsc::Sender<Command>,
    thread: Arc<OnceLock<Thread>>,
}

impl Poller {
    pub(super) fn new() -> (Self, std::sync::mpsc::Receiver<Command>) {
        let (commands, receiver) = std::sync::mpsc::channel();
        (
            Self {
                commands,
                thread: Arc::default(),
            },
            receiver,
        )
    }

    /// Makes the calling thread the one to wake.
    pub(super) fn attach(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// Sends and wakes. A poller that has ended needs nothing any more.
    pub(super) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
        self.wake();
    }

    /// Wakes the thread up.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}
