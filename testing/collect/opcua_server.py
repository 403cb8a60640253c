"""An OPC UA server of asyncua: python opcua_server.py PORT FOLDER [history [coarse]]

With "history" it keeps the values of the counter, and of Flaky, which has the same values and calls the odd ones bad. It refuses to read
them while the folder has a file "history-refused", and prints so, and when a client gives continuation points back. With
"coarse" its historian has a deadband: it keeps every tenth value. Where the folder has
a file "cut-behind" with the name of an answer, it closes the connection behind the next one and removes the file; from then on it takes its
time to monitor nodes.
Under Objects/Hall/Press 7 is a counter that rises every 20 ms with the time of its source, and one variable of each kind. Its certificate is
made in the folder. User "plant", password "secret", where a user is given.
"""

import asyncio
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import SimpleRoleRuleset
from asyncua.server.internal_session import InternalSession
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.crypto.permission_rules import User, UserRole
from cryptography.x509.oid import ExtendedKeyUsageOID

PORT = sys.argv[1]
FOLDER = Path(sys.argv[2])
START = datetime(2026, 11, 1, tzinfo=timezone.utc)
URI = "urn:telltale:test"


class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is None:
            return User(role=UserRole.User)
        return User(role=UserRole.User) if (username, password) == ("plant", "secret") else None


def value(number, kind, status=ua.StatusCodes.Good, at=START):
    return ua.DataValue(ua.Variant(number, kind), StatusCode=ua.StatusCode(status), SourceTimestamp=at)


def watch_history(server):
    manager = server.iserver.history_manager
    read = manager.read_history
    # In parts: what is left of an answer gets a continuation point.
    manager.storage.max_history_data_response_size = 200

    if "coarse" in sys.argv:
        save = manager.storage.save_node_value

        async def save_node_value(node_id, data):
            if data.Value.Value % 10 == 0:
                await save(node_id, data)

        manager.storage.save_node_value = save_node_value

    async def read_history(params):
        if params.ReleaseContinuationPoints:
            print(f"released {len(params.NodesToRead)}", flush=True)
            return [ua.HistoryReadResult() for _ in params.NodesToRead]
        if (FOLDER / "history-refused").exists():
            print("refused", flush=True)
            raise ua.uaerrors.BadResourceUnavailable()
        return await read(params)

    manager.read_history = read_history


def cut_connections():
    send, monitor = UaProcessor.send_response, InternalSession.create_monitored_items
    has_cut = False

    def send_response(self, handle, header, response, *more):
        nonlocal has_cut
        send(self, handle, header, response, *more)
        cut = FOLDER / "cut-behind"
        if cut.exists() and cut.read_text() == type(response).__name__:
            cut.unlink()
            has_cut = True
            self._transport.close()

    async def create_monitored_items(self, params):
        if has_cut:
            await asyncio.sleep(0.5)
        return await monitor(self, params)

    UaProcessor.send_response = send_response
    InternalSession.create_monitored_items = create_monitored_items


async def main():
    cut_connections()
    server = Server(user_manager=Users())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{PORT}")
    await server.set_application_uri(URI)
    await setup_self_signed_certificate(
        FOLDER / "key.pem",
        FOLDER / "cert.der",
        URI,
        "127.0.0.1",
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
        {"countryName": "DE", "organizationName": "Test", "commonName": "test"},
    )
    server.set_security_policy(
        [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt],
        permission_ruleset=SimpleRoleRuleset(),
    )
    await server.load_certificate(str(FOLDER / "cert.der"))
    await server.load_private_key(str(FOLDER / "key.pem"))
    ns = await server.register_namespace("http://example.org/plant")
    hall = await server.nodes.objects.add_object(ns, "Hall")
    press = await hall.add_object(ns, "Press 7")

    async def variable(name, number, kind, **more):
        node = await press.add_variable(ua.NodeId(name, ns), name, number, kind)
        await node.write_value(value(number, kind, **more))
        return node

    counter = await variable("Counter", 0, ua.VariantType.UInt32)
    oil = await variable("OilTemperature", 61.5, ua.VariantType.Double)
    units = ua.EUInformation()
    units.NamespaceUri = "http://www.opcfoundation.org/UA/units/un/cefact"
    units.UnitId = 4408652
    units.DisplayName = ua.LocalizedText("°C")
    units.Description = ua.LocalizedText("degree Celsius")
    await oil.add_property(0, "EngineeringUnits", units)
    await oil.add_property(0, "EURange", ua.Range(Low=-10.0, High=120.0))
    await oil.write_attribute(
        ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText("Of the oil tank"), ua.VariantType.LocalizedText))
    )
    await variable("Running", True, ua.VariantType.Boolean)
    await variable("Long", -5_000_000_000, ua.VariantType.Int64)
    await variable("Broken", 1.0, ua.VariantType.Double, status=ua.StatusCodes.BadSensorFailure)
    await variable("Old", 2.5, ua.VariantType.Double, status=ua.StatusCodes.UncertainLastUsableValue)
    await variable("Name", "press", ua.VariantType.String)
    await variable("Precise", 1.0, ua.VariantType.Double, at=START + timedelta(microseconds=123_456))
    flaky = await variable("Flaky", 0, ua.VariantType.UInt32)
    async with server:
        if "history" in sys.argv:
            watch_history(server)
            await server.historize_node_data_change([counter, flaky], period=None, count=0)
        print("ready", flush=True)
        count = 0
        while True:
            await asyncio.sleep(0.02)
            count += 1
            now = datetime.now(timezone.utc)
            await counter.write_value(value(count, ua.VariantType.UInt32, at=now))
            status = ua.StatusCodes.BadSensorFailure if count % 2 else ua.StatusCodes.Good
            await flaky.write_value(value(count, ua.VariantType.UInt32, status=status, at=now))
            print(f"counted {count}", flush=True)


asyncio.run(main())
