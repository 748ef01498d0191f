"""Numbers of NVIDIA's kernel messages ("Xid"): what each means, whose fault it is, what to do.

Source: NVIDIA, "Xid Errors" (https://docs.nvidia.com/deploy/xid-errors/), with its catalog of Xids for Ampere and later
GPUs: what it recommends at once and for the investigation. Meaning and advice are put in our words; numbers that the
catalog calls unused are left out.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Blame = Literal["hardware", "driver", "application", "information"]


@dataclasses.dataclass(frozen=True)
class Xid:
    """One number.

    Attributes:
        meaning: What happened.
        blame: ``hardware`` (or a link), ``driver`` (with its firmware), ``application`` (a program on the GPU did
            something wrong, or was ended), ``information`` (nothing is wrong by itself).
        todo: What to do first.
    """

    meaning: str
    blame: Blame
    todo: str


_RESET = "stop what uses the GPU and reset it (nvidia-smi --gpu-reset), replace it when it comes back"
_PROGRAM = "restart the program; look for the mistake with compute-sanitizer"
_ENGINE = "restart the program; report it to NVIDIA when it comes back"
_NVLINK = "look at nvidia-smi nvlink -e and the fabric manager's log, reset the GPU, then check the link's hardware"
_CRYPTO = "check the set-up of confidential computing"

XIDS: dict[int, Xid] = {
    8: Xid("the GPU stopped processing", "application", _PROGRAM),
    11: Xid("a stream of commands was invalid or corrupted", "application", _PROGRAM),
    13: Xid(
        "a program made the graphics engine fault (index out of bounds, illegal instruction)", "application", _PROGRAM
    ),
    14: Xid("an error was injected from user space", "information", "nothing, if somebody meant to"),
    25: Xid("a stream of commands was invalid", "application", _PROGRAM),
    31: Xid("a program accessed memory that is not its own (page fault)", "application", _PROGRAM),
    32: Xid("a stream of commands was corrupted on its way to the GPU", "hardware", "check the PCIe link of the GPU"),
    37: Xid("the driver's firmware met an error", "driver", "look for a newer driver"),
    38: Xid("the driver's firmware stopped answering", "driver", "look for a newer driver"),
    39: Xid("a copy engine faulted", "application", _ENGINE),
    40: Xid("a copy engine faulted", "application", _ENGINE),
    41: Xid("a copy engine faulted", "application", _ENGINE),
    43: Xid("a program had to be ended after a fault of its own", "application", _PROGRAM),
    44: Xid("the graphics engine faulted while it changed programs", "driver", "look for a newer driver"),
    45: Xid(
        "a program was ended, by somebody or by an error before this", "application", "look at the messages before it"
    ),
    46: Xid("the GPU stopped processing", "driver", _RESET),
    48: Xid("memory had an error that cannot be corrected (double bit)", "hardware", _RESET),
    54: Xid("the auxiliary power cable is not connected", "hardware", "connect the power cable of the GPU"),
    60: Xid("the video processor faulted", "application", _ENGINE),
    62: Xid("a micro-controller of the GPU halted", "driver", _RESET),
    63: Xid(
        "a row of memory was replaced by a spare one, or a page retired", "information", "reset the GPU when it is free"
    ),
    64: Xid("a row of memory could not be replaced", "hardware", _RESET),
    66: Xid("the driver made an illegal access", "driver", "look for a newer driver"),
    67: Xid("the driver made an illegal access", "driver", "look for a newer driver"),
    68: Xid("a video decoder faulted", "application", _ENGINE),
    69: Xid("a program used a class of the graphics engine wrongly", "application", _PROGRAM),
    70: Xid("a copy engine faulted", "application", _ENGINE),
    71: Xid("a copy engine faulted", "application", _ENGINE),
    72: Xid("a copy engine faulted", "application", _ENGINE),
    74: Xid("an NVLink connection failed", "hardware", _NVLINK),
    75: Xid("a copy engine faulted", "application", _ENGINE),
    76: Xid("a copy engine faulted", "application", _ENGINE),
    77: Xid("a copy engine faulted", "application", _ENGINE),
    78: Xid(
        "a virtual GPU could not be started", "driver", "bring driver and firmware to versions that fit each other"
    ),
    79: Xid(
        "the GPU fell off the bus", "hardware", "power-cycle the host; check slot, riser, power and cooling of the GPU"
    ),
    80: Xid("data reached the GPU corrupted", "hardware", "check the PCIe link of the GPU"),
    82: Xid("an image decoder faulted", "application", _ENGINE),
    83: Xid("a video decoder faulted", "application", _ENGINE),
    84: Xid("a video decoder faulted", "application", _ENGINE),
    85: Xid("a copy engine faulted", "application", _ENGINE),
    86: Xid("the optical flow engine faulted", "application", _ENGINE),
    88: Xid("a video decoder faulted", "application", _ENGINE),
    89: Xid("a video decoder faulted", "application", _ENGINE),
    92: Xid("memory has many errors that are still corrected", "hardware", "plan the replacement of the GPU"),
    93: Xid(
        "the limit of writes to the InfoROM is reached", "information", "clear the limit, where it was set on purpose"
    ),
    94: Xid(
        "memory had an error that stayed within one program", "hardware", "restart that program, reset the GPU soon"
    ),
    95: Xid("memory had an error that reached several programs", "hardware", _RESET),
    106: Xid("a test message of the management bus", "information", "nothing"),
    107: Xid("a test message of the management bus", "information", "nothing"),
    109: Xid("the GPU did not change programs in time", "driver", _RESET),
    110: Xid(
        "a part of the GPU that guards security faulted", "hardware", "power-cycle the host, undo recent changes of it"
    ),
    119: Xid("the GPU's system processor (GSP) did not answer in time", "driver", _RESET),
    120: Xid("the GPU's system processor (GSP) met an error", "driver", _RESET),
    121: Xid("the link between CPU and GPU corrected errors", "information", "reset the GPU when it is free"),
    136: Xid("an NVLink connection could not be trained", "hardware", _NVLINK),
    137: Xid("an access over NVLink was refused", "application", _PROGRAM),
    140: Xid("memory had an error that could not be recovered", "hardware", _RESET),
    143: Xid("the GPU could not be initialised", "hardware", _RESET),
    144: Xid("an NVLink connection failed (SAW)", "hardware", _NVLINK),
    145: Xid("an NVLink connection failed (RLW)", "hardware", _NVLINK),
    146: Xid("an NVLink connection failed (TLW)", "hardware", _NVLINK),
    147: Xid("an NVLink connection failed (TREX)", "hardware", _NVLINK),
    148: Xid("an NVLink connection failed (NVLPW_CTRL)", "hardware", _NVLINK),
    149: Xid("an NVLink connection failed (NETIR)", "hardware", _NVLINK),
    150: Xid("an NVLink connection failed (MSE)", "hardware", _NVLINK),
    151: Xid("a key could not be changed", "driver", _CRYPTO),
    154: Xid(
        "the driver changed what it wants done to the GPU", "information", "do what it says; look at the Xid before it"
    ),
    155: Xid("an NVLink connection was taken down", "information", "look for who did it"),
    156: Xid("a part of the GPU was put out of use", "hardware", _RESET),
    157: Xid("a part of the GPU could not be put out of use", "hardware", "replace the GPU"),
    158: Xid("the GPU did not answer in time", "hardware", _RESET),
    160: Xid("a channel of memory was put out of use", "hardware", _RESET),
    161: Xid("a channel of memory could not be put out of use", "hardware", "replace the GPU"),
    163: Xid("power smoothing is switched off", "hardware", "check cooling"),
    164: Xid("power smoothing wears out soon", "hardware", "plan the replacement of the GPU"),
    165: Xid("power smoothing is worn out", "hardware", "replace the GPU, where power has to be smooth"),
    166: Xid("traffic of NVLink came before encryption was set up", "driver", _CRYPTO),
    167: Xid("PCIe did not answer in time", "hardware", "check slot and riser of the GPU"),
    168: Xid("a protected region of memory has errors", "hardware", "switch ECC on, then reset the GPU"),
    169: Xid("a micro-controller of the GPU halted", "driver", _RESET),
    170: Xid("NVLink met something unexpected under encryption", "driver", _CRYPTO),
    171: Xid("memory had an error that cannot be corrected (DRAM)", "hardware", _RESET),
    172: Xid("memory had an error that cannot be corrected (SRAM)", "hardware", _RESET),
}


def meaning(code: int) -> Xid:
    """Return what a number means; one that is not known is taken for the hardware's fault until somebody looked."""
    return XIDS.get(code, Xid("not in our table", "hardware", "look it up in NVIDIA's catalog of Xids"))
