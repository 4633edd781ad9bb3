//! How many of the instructions that callgrind saw lock their cache line, each of which costs as
//! much as some twenty others.
//!
//! callgrind writes how often each address was executed, as the file that it is from has it
//! (`ob=PATH`, then lines `0xADDRESS TIMES`); the bytes there say what it is. Those of x86-64 only.

use std::{collections::HashMap, fs, io};

/// Reads what callgrind wrote with `--dump-instr=yes --dump-line=no`, and positions and names in
/// full. `None` where the machine's instructions are not known here.
///
/// # Errors
///
/// If the file, or one of those that it names, cannot be read.
pub fn executed(profile: &str) -> io::Result<Option<u64>> {
    if !cfg!(target_arch = "x86_64") {
        return Ok(None);
    }
    let profile = fs::read_to_string(profile)?;
    let mut objects: HashMap<&str, Option<Object>> = HashMap::new();
    let mut path = "";
    let mut after_call = false;
    let mut locked = 0;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            path = name;
            // What was made while running, or is the kernel's, is no file.
            let read = || fs::read(name).ok().map(Object);
            objects.entry(name).or_insert_with(read);
        }
        // The line after it has what the function that was called took.
        if std::mem::replace(&mut after_call, line.starts_with("calls=")) {
            continue;
        }
        let Some((address, times)) = executions(line) else {
            continue;
        };
        if let Some(Some(object)) = objects.get(path) {
            if object.at(address).is_some_and(locks) {
                locked += times;
            }
        }
    }
    Ok(Some(locked))
}

/// `0xADDRESS TIMES`.
fn executions(line: &str) -> Option<(u64, u64)> {
    let (address, times) = line.strip_prefix("0x")?.split_once(' ')?;
    Some((u64::from_str_radix(address, 16).ok()?, times.parse().ok()?))
}

/// Whether what begins here has the prefix that locks, or exchanges with memory, which locks without.
fn locks(code: &[u8]) -> bool {
    // Sizes, repetitions, segments.
    const OTHERS: [u8; 6] = [0x66, 0x67, 0xf2, 0xf3, 0x64, 0x65];
    let prefixes = code.iter().take_while(|byte| OTHERS.contains(byte)).count();
    match code[prefixes..] {
        [0xf0, ..] => true,
        [0x40..=0x4f, 0x86 | 0x87, operands, ..] | [0x86 | 0x87, operands, ..] => {
            operands < 0b1100_0000
        }
        _ => false,
    }
}

/// A program or a library, as it lies on the disk.
struct Object(Vec<u8>);

impl Object {
    /// The code at this address: that of the ELF segment which it is in.
    fn at(&self, address: u64) -> Option<&[u8]> {
        let segments = usize::try_from(self.number(0x20, 8)?).ok()?;
        let (size, count) = (self.number(0x36, 2)?, self.number(0x38, 2)?);
        (0..count).find_map(|which| {
            let segment = segments + usize::try_from(which * size).ok()?;
            let number = |at| self.number(segment + at, 8);
            let (offset, from, length) = (number(0x08)?, number(0x10)?, number(0x20)?);
            let loaded = self.number(segment, 4)? == 1 && (from..from + length).contains(&address);
            let at = usize::try_from(offset + address.wrapping_sub(from)).ok()?;
            loaded.then(|| self.0.get(at..))?
        })
    }

    fn number(&self, at: usize, bytes: usize) -> Option<u64> {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(self.0.get(at..at + bytes)?);
        Some(u64::from_le_bytes(number))
    }
}
