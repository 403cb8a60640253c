"""A Modbus TCP device of pymodbus: python modbus_device.py PORT

Holding 0-1 of unit 1 is a counter (uint32) that rises with each request that reads it, so that every reading of it is another one. What is
asked for is printed, a line for each request.
"""

import asyncio
import struct
import sys

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

BUSY = 900


def words(form, value):
    return list(struct.unpack(f">{struct.calcsize(form) // 2}H", struct.pack(f">{form}", value)))


HOLDING = [
    SimData(0, values=[0, 0], datatype=DataType.REGISTERS),
    # 235 tenths; -40; a float of 61.5 with its words, and with its bytes, the other way round
    SimData(100, values=[235, 0xFFD8], datatype=DataType.REGISTERS),
    SimData(102, values=words("f", 61.5), datatype=DataType.REGISTERS),
    SimData(104, values=words("f", 61.5)[::-1], datatype=DataType.REGISTERS),
    SimData(106, values=[((w & 0xFF) << 8) | (w >> 8) for w in words("f", 61.5)], datatype=DataType.REGISTERS),
    SimData(108, values=words("q", -5_000_000_000), datatype=DataType.REGISTERS),
    SimData(112, values=words("d", 1e-3), datatype=DataType.REGISTERS),
    SimData(116, values=[0b1000], datatype=DataType.REGISTERS),
    SimData(117, values=words("f", float("nan")), datatype=DataType.REGISTERS),
    SimData(BUSY, values=[7], datatype=DataType.REGISTERS),
]


async def action(code, _start, address, count, registers, values):
    if values is not None:
        return None
    print(f"read {code} {address} {count}", flush=True)
    if code == 3 and address == 0:
        value = (registers[0] << 16 | registers[1]) + 1
        registers[0:2] = [value >> 16, value & 0xFFFF]
    if code == 3 and address == BUSY:
        return ExcCodes.DEVICE_BUSY
    return None


async def main():
    bits = [SimData(0, values=[True, False] * 8, datatype=DataType.BITS)]
    inputs = [SimData(0, values=[1, 2, 3], datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(list(bits), list(bits), HOLDING, inputs), action=action)
    server = ModbusTcpServer(device, address=("127.0.0.1", int(sys.argv[1])))
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
