//! The shim where no threads are known.

use core::hint;

/// Only pauses, for longer after many turns: there is nobody to give the processor to.
pub fn back_off(turn: u32) {
    for _ in 0..FIRST_PAUSE << turn.min(LONGER) {
        hint::spin_loop();
    }
}

/// In pauses of the processor.
const FIRST_PAUSE: u32 = 16;
/// How often it is doubled.
const LONGER: u32 = 4;
