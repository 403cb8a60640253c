/** `telltale collect opcua` against a server of asyncua, an implementation of others. */
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { OPCUAClient } from "node-opcua-client";
import { beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { createCounters } from "../../collect/counters.ts";
import { readOpcuaConfig } from "../../collect/opcua/config.ts";
import { historyOf } from "../../collect/opcua/history.ts";
import { loadOpcua } from "../../collect/opcua/library.ts";
import { openSession } from "../../collect/opcua/session.ts";
import { opcuaSource } from "../../collect/opcua/source.ts";
import { Spool } from "../../collect/spool.ts";
import { systemClock } from "../../server/clock.ts";
import { SampledLines } from "../../server/observe/sampled.ts";
import { cleanupAfterAll, cleanupAfterEach } from "../../testing/cleanup.ts";
import { runCli } from "../../testing/cli.ts";
import { startCollector, writeConfig } from "../../testing/collect/collector.ts";
import { type PythonServer, startPython } from "../../testing/collect/python-server.ts";
import { recordingLogger } from "../../testing/logger.ts";
import { metric, until } from "../../testing/metric.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { startProxy } from "../../testing/proxy.ts";
import { ASYNCUA } from "../../testing/python.ts";
import { allReadings, allValues } from "../../testing/readings.ts";

/** The newest value of the counter. */
function newestCount({ lines }: PythonServer): number {
  return Number(
    lines
      .findLast((line) => line.startsWith("counted "))!
      .split(" ")
      .at(-1),
  );
}

describeWith(
  ["python3", "npm:node-opcua-client", "npm:node-opcua-certificate-manager"],
  "telltale collect opcua",
  () => {
    vi.setConfig({ testTimeout: 240_000 });
    const { add, started, installation } = cleanupAfterEach();

    // Their starts take longer than most tests. The server counts on, and each test has sensors of its own.
    const ofAll = cleanupAfterAll();
    let platform: Platform;
    let historian: PythonServer;
    let historianFolder: string;
    beforeAll(async () => {
      historianFolder = newFolder(ofAll.add);
      [platform, historian] = await Promise.all([
        ofAll.started(startPlatform()),
        ofAll.started(startPython("opcua_server.py", ASYNCUA, [historianFolder, "history"])),
      ]);
    }, 240_000);

    function newFolder(addEnd: (end: () => Promise<unknown>) => void): string {
      const folder = mkdtempSync(join(tmpdir(), "telltale-collect-"));
      addEnd(async () => rmSync(folder, { recursive: true, force: true }));
      return folder;
    }

    /** A server of the test's own. */
    async function ownServer(...options: string[]) {
      const serverFolder = newFolder(add);
      return {
        serverFolder,
        server: await started(startPython("opcua_server.py", ASYNCUA, [serverFolder, ...options])),
      };
    }

    /** A server that wants security and a user, the one that keeps history if it is not told; a folder of the test's own. */
    function plant({ server, serverFolder } = { server: historian, serverFolder: historianFolder }) {
      const folder = newFolder(add);
      const passwordFile = join(folder, "password");
      writeFileSync(passwordFile, "secret\n");
      const { fingerprint256 } = new X509Certificate(readFileSync(join(serverFolder, "cert.der")));
      const secure = {
        ...{ endpoint: `opc.tcp://127.0.0.1:${server.port}`, security_policy: "Basic256Sha256" },
        ...{ username: "plant", password_file: passwordFile, server_fingerprint: fingerprint256 },
      };
      return { folder, server, serverFolder, secure, passwordFile };
    }
    const nodes = ["Counter", "OilTemperature", "Running", "Long", "Broken", "Old", "Name", "Precise", "None"].map(
      (name) => ({
        ...{ node_id: `ns=2;s=${name}`, sensor_id: name, queue_size: 100 },
      }),
    );

    test("--check reads the nodes of a server that is the one it is taken for, and browse prints what there is", async () => {
      const { folder, serverFolder, secure, passwordFile } = plant();
      const check = async (server: object) => {
        const run = runCli("collect", "opcua", writeConfig(folder, { server, nodes }), "--check");
        const code = await run.ended;
        return { code, out: run.stdout(), err: run.stderr() };
      };
      const good = await check(secure);
      expect(good.code).toBe(1);
      expect(good.err).toContain("3 of 9 give no reading.");
      const found = Object.fromEntries(
        good.out
          .trim()
          .split("\n")
          .map((line) => line.split("  ", 2)),
      );
      expect(found).toMatchObject({
        ...{ OilTemperature: "61.5 1", Running: "1 1", Long: "-5000000000 1", Old: "2.5 1", Precise: "1 1" },
        ...{ Broken: "–", Name: "–", None: "–" },
      });
      const other = await check({ ...secure, server_fingerprint: "00".repeat(32) });
      expect(other.err).toContain("The server's certificate is another than the one that is trusted.");
      expect(other.err).toContain(`write server_fingerprint: "${secure.server_fingerprint}"`);
      const { server_fingerprint, ...unknown } = secure;
      expect((await check(unknown)).err).toContain("No certificate of the server is trusted.");
      const byFile = await check({ ...unknown, server_certificate: join(serverFolder, "cert.der") });
      expect(byFile.out).toContain("OilTemperature  61.5 1");
      writeFileSync(passwordFile, "wrong");
      expect((await check(secure)).err).toContain("The server refuses the session");
      writeFileSync(passwordFile, "secret");

      const browse = async (...more: string[]) => {
        const run = runCli("collect", "opcua", "browse", ...more);
        expect(await run.ended, run.stderr()).toBe(0);
        return parse(run.stdout()) as { nodes: object[]; sensors: object[] };
      };
      const config = await browse(secure.endpoint);
      expect(config.nodes).toHaveLength(8); // without the text
      expect(config.nodes).toContainEqual({
        ...{ node_id: "ns=2;s=OilTemperature", sensor_id: "Hall/Press 7/OilTemperature" },
        ...{ sensor_type: "OilTemperature", unit: "°C" },
      });
      const { sensors } = await browse(
        writeConfig(folder, { server: secure }),
        "--format",
        "sensors",
        "--root",
        "ns=2;i=1",
      );
      expect(sensors).toContainEqual({
        ...{ sensor_id: "Press 7/OilTemperature", display_name: "OilTemperature", description: "Of the oil tank" },
        ...{
          asset: "Press 7",
          attributes: { opcua_node: "ns=2;s=OilTemperature", range_low: "-10", range_high: "120" },
        },
      });
    });

    test("browse says what is wrong with a node or an address that nothing answers at", async () => {
      const browse = async (...more: string[]) => {
        const run = runCli("collect", "opcua", "browse", ...more);
        expect(await run.ended).toBe(1);
        return run.stderr();
      };
      const address = `opc.tcp://127.0.0.1:${await freePort()}`;
      expect(await browse(address)).toMatch(
        new RegExp(`^The OPC UA server cannot be reached at ${address}: connect ECONNREFUSED [\\d.:]+\\n$`),
      );
      expect(await browse("127.0.0.1:4840")).toBe(
        "There is no file 127.0.0.1:4840; the address of a server begins with opc.tcp://\n",
      );
      expect(await browse(address, "--root", "hall")).toMatch(
        /^--root is "hall", but it must be a node, such as ns=2;s=Hall\.?\n$/,
      );
    });

    test("what came while nobody listened is read from the server's history, in order and once", async () => {
      const { folder, server, secure } = plant();
      const counted = () => newestCount(server);
      const lateBefore = await late();
      const proxy = await started(startProxy(() => [server.port]));
      const config = writeConfig(folder, {
        ...{ producer: "hall-1", platform: { url: platform.grpc } },
        server: { ...secure, endpoint: `opc.tcp://127.0.0.1:${proxy.port}` },
        ...{ sampling_interval: "10ms", publishing_interval: "100ms", nodes },
      });
      const newest = async () => (await allValues(platform.grpc, "Counter")).at(-1) ?? 0;
      const first = startCollector("opcua", config);
      add(first.kill);
      // Until when readings are there it writes down for its next start.
      await until(() => existsSync(join(folder, "spool", "opcua-newest.json")));
      await first.kill();
      const killed = counted();
      await until(() => counted() > killed + 100);
      const second = startCollector("opcua", config);
      add(second.kill);
      await second.logged("read from the server's history");
      const cut = counted();
      proxy.cut();
      await second.logged("the connection to the server is lost");
      await until(() => second.stderr().split("read from the server's history").length > 2);
      const again = counted();
      await until(async () => (await newest()) > again + 20);
      expect(await second.stop()).toBe(0);
      const values = await allValues(platform.grpc, "Counter");
      expect(values[0]).toBeLessThan(killed);
      expect(values.at(-1)).toBeGreaterThan(cut);
      expect(values).toEqual(Array.from(values, (_, i) => values[0]! + i));
      // Behind those of before, and before those that came since: none is late.
      expect(await late()).toBe(lateBefore);
    });

    const late = () => metric(platform.http, 'telltale_readings_total{outcome="late"}');

    let collections = 0;
    /** A collector that has stopped, of a server that keeps history and a proxy before it. */
    async function collected(
      names: readonly string[],
      ofNode: (name: string) => object = () => ({}),
      of?: Awaited<ReturnType<typeof ownServer>>,
    ) {
      const { folder, server, serverFolder, secure } = plant(of);
      const proxy = await started(startProxy(() => [server.port]));
      const hall = `collection ${++collections}`;
      const begun = server.lines.length;
      const lateBefore = await late();
      const expectNoneLate = async () => expect(await late()).toBe(lateBefore);
      const config = writeConfig(folder, {
        ...{ producer: hall, platform: { url: platform.grpc } },
        server: { ...secure, endpoint: `opc.tcp://127.0.0.1:${proxy.port}` },
        ...{ sampling_interval: "10ms", publishing_interval: "100ms" },
        nodes: names.map((name) => ({
          ...{ node_id: `ns=2;s=${name}`, sensor_id: `${hall}/${name}`, queue_size: 100 },
          ...ofNode(name),
        })),
      });
      const collector = () => {
        const started = startCollector("opcua", config);
        add(started.kill);
        return started;
      };
      const first = collector();
      await until(() => existsSync(join(folder, "spool", "opcua-newest.json")));
      await first.kill();
      const refused = join(serverFolder, "history-refused");
      const cut = join(serverFolder, "cut-behind");
      add(async () => {
        for (const file of [refused, cut]) rmSync(file, { force: true });
      });
      const valuesOf = (name: string) => allValues(platform.grpc, `${hall}/${name}`);
      return {
        ...{ server, proxy, collector, valuesOf, expectNoneLate },
        refuseHistory: () => writeFileSync(refused, ""),
        giveHistory: () => rmSync(refused),
        refusals: () => server.lines.slice(begun).filter((line) => line === "refused").length,
        cutBehind: (answer: string) => writeFileSync(cut, answer),
        /** All values of the counter, of which none is missing, and none was late. */
        expectWhole: async () => {
          const values = await valuesOf("Counter");
          expect(values).toEqual(Array.from(values, (_, i) => values[0]! + i));
          await expectNoneLate();
        },
      };
    }

    test("what comes before history is read waits for it, also where the session after a restart ends early", async () => {
      const { proxy, collector, refuseHistory, refusals, giveHistory, expectWhole } = await collected(["Counter"]);
      refuseHistory();
      const second = collector();
      await until(() => refusals() > 0);
      proxy.cut();
      // This server does not bring the session back: the collector makes a new one.
      await until(() => second.stderr().split('"msg":"subscribed"').length > 2);
      giveHistory();
      await second.logged("read from the server's history");
      expect(await second.stop()).toBe(0);
      await expectWhole();
    });

    test("values that wait for history are kept where it lacks them, in their order", async () => {
      const coarse = await ownServer("history", "coarse");
      const { server, collector, valuesOf, refuseHistory, refusals, giveHistory, expectNoneLate } = await collected(
        ["Counter"],
        undefined,
        coarse,
      );
      const before = (await valuesOf("Counter")).at(-1)!;
      refuseHistory();
      const second = collector();
      await second.logged('"msg":"subscribed"');
      await until(() => refusals() > 0);
      const listening = newestCount(server);
      await until(() => newestCount(server) > listening + 50);
      giveHistory();
      await second.logged("read from the server's history");
      const read = newestCount(server);
      await until(async () => (await valuesOf("Counter")).at(-1)! > read + 20);
      expect(await second.stop()).toBe(0);
      const values = await valuesOf("Counter");
      const since = values.filter((value) => value > listening);
      expect(since).toEqual(Array.from(since, (_, i) => listening + 1 + i));
      const meanwhile = values.filter((value) => value > before && value < listening - 20);
      expect(meanwhile.filter((value) => value % 10 !== 0)).toEqual([]);
      await expectNoneLate();
    });

    test.each(["ActivateSessionResponse", "CreateSubscriptionResponse"])(
      "where the connection is lost behind %s, before all nodes are monitored, nothing is missing of them",
      async (answer) => {
        const { collector, valuesOf, cutBehind, expectWhole } = await collected(["Flaky", "Counter"], (name) => ({
          sampling_interval: name === "Counter" ? "10ms" : "20ms",
        }));
        cutBehind(answer);
        const second = collector();
        await second.logged("the connection to the server is lost");
        await second.logged("read from the server's history");
        const newest = async () => (await valuesOf("Counter")).at(-1)!;
        const read = await newest();
        await until(async () => (await newest()) > read + 100);
        expect(await second.stop()).toBe(0);
        await expectWhole();
      },
    );

    test("where history stays refused what comes goes on, and history is read behind it when the server gives it", async () => {
      const { collector, valuesOf, refuseHistory, refusals, giveHistory } = await collected(["Counter"]);
      const before = (await valuesOf("Counter")).at(-1)!;
      refuseHistory();
      const second = collector();
      const values = () => valuesOf("Counter");
      await until(async () => (await values()).at(-1)! > before);
      // The server has refused before, but its pipe may say so later.
      await until(() => refusals() > 4);
      giveHistory();
      await second.logged("read from the server's history");
      expect(await second.stop()).toBe(0);
      const all = (await values()).sort((a, b) => a - b);
      expect(all).toEqual(Array.from(all, (_, i) => all[0]! + i));
    });

    test("a bad value is counted once, also where history is read over it again", async () => {
      const { proxy, collector, valuesOf } = await collected(["Flaky"]);
      const second = collector();
      await second.logged("read from the server's history");
      proxy.cut();
      await until(() => second.stderr().split("read from the server's history").length > 2);
      const [before = 0] = (await valuesOf("Flaky")).slice(-1);
      await until(async () => (await valuesOf("Flaky")).at(-1)! > before);
      expect(await second.stop()).toBe(0);
      const values = await valuesOf("Flaky");
      const end = second
        .stderr()
        .split("\n")
        .find((line) => line.includes("everything is settled"))!;
      const { lost, spooled } = JSON.parse(end) as { readonly lost: number; readonly spooled: number };
      // Every other one is bad. The first collector has counted those of before; what it had read and not stored comes again.
      expect(values).toEqual(Array.from(values, (_, i) => values[0]! + 2 * i));
      expect(Math.abs(lost - spooled)).toBeLessThanOrEqual(2);
    });

    test("a server gets back the continuation points of history that is not read to its end", async () => {
      const { folder, server, secure } = plant();
      // Of a node it gives 200 at a time.
      await until(() => server.lines.includes("counted 250"));
      const begun = server.lines.length;
      const file = writeConfig(folder, { server: secure, nodes: nodes.slice(0, 1) });
      const settings = readOpcuaConfig(file, readFileSync(file, "utf8"));
      const opcua = await loadOpcua();
      const { session, close } = await openSession(opcua, settings.server);
      add(close);
      const gap = { fromUs: 0, toUs: Date.now() * 1_000 };
      for await (const page of historyOf(opcua, session, settings.nodes, gap, new AbortController().signal)) {
        expect("values" in page && page.values.length).toBe(200);
        break;
      }
      await until(() => server.lines.slice(begun).includes("released 1"));
    });

    test("a connection that comes back while its session is given up is not gone on with", async () => {
      const { folder, secure } = plant();
      const file = writeConfig(folder, { server: secure, nodes: nodes.slice(0, 1) });
      const opcua = await loadOpcua();
      const created = vi.spyOn(opcua.client.OPCUAClient, "create");
      const { logger, lines } = recordingLogger();
      const said = (msg: string) => lines().some((line) => line.msg === msg);
      const counters = createCounters();
      const sampled = new SampledLines(logger);
      const settings = readOpcuaConfig(file, readFileSync(file, "utf8"));
      const spool = await Spool.open(settings, { counters, logger, sampled });
      const source = opcuaSource(opcua, settings, { spool, counters, clock: systemClock, logger, sampled });
      const ending = new AbortController();
      const running = source.run(ending.signal);
      add(async () => {
        ending.abort(new Error("the end"));
        await running;
        await spool.close(AbortSignal.abort(new Error("at once")));
      });
      await until(() => said("subscribed"));
      const client = created.mock.results.at(-1)!.value as OPCUAClient;
      ending.abort(new Error("the end"));
      await nextTurn(); // it waits for the server's answer to its goodbye
      client.emit("connection_reestablished");
      expect(said("connected to the server again")).toBe(false);
      await running;
    });

    test("no value is stored twice, and none lost of those that came while the collector lived", async () => {
      const { folder, server, secure } = plant(await ownServer());
      const counted = () => newestCount(server);
      const proxy = await started(startProxy(() => [server.port]));
      const grpcPort = await freePort();
      const environment = { DATA_DIR: await installation(), GRPC_PORT: String(grpcPort) };
      let platform = await startPlatform(environment);
      add(() => platform.stop());
      const config = writeConfig(folder, {
        ...{ producer: "hall-1", platform: { url: `http://127.0.0.1:${grpcPort}` } },
        server: { ...secure, endpoint: `opc.tcp://127.0.0.1:${proxy.port}` },
        ...{ sampling_interval: "10ms", publishing_interval: "100ms", nodes },
      });
      const values = async () => await allValues(platform.grpc, "Counter");
      const newest = async () => (await values()).at(-1) ?? 0;
      const first = startCollector("opcua", config);
      add(first.kill);
      await until(async () => (await values()).length > 20);
      await end(platform.process, "SIGKILL");
      const away = counted();
      await until(() => counted() > away + 60);
      await first.kill();
      const killed = counted();
      const second = startCollector("opcua", config);
      add(second.kill);
      await second.logged("readings of before are in the spool");
      await second.logged('"msg":"subscribed"');
      const subscribed = counted();
      await until(() => counted() > subscribed + 60);
      platform = await startPlatform(environment);
      await until(async () => (await newest()) > subscribed + 60);
      const cut = counted();
      proxy.cut();
      await second.logged("the connection to the server is lost");
      // This server answers what is asked to bring a session back in a way that has no end: the collector makes a new one.
      await until(() => second.stderr().split('"msg":"subscribed"').length > 2);
      const again = counted();
      await until(async () => (await newest()) > again + 20);
      const all = await values();
      expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
      const missing = Array.from({ length: all.at(-1)! - all[0]! }, (_, i) => all[0]! + i).filter(
        (v) => !all.includes(v),
      );
      // Of before a kill or a cut what had not been sent yet, and what came while nobody was there.
      const whileKilled = (value: number) => value > killed - 20 && value <= subscribed + 5;
      const whileCut = (value: number) => value > cut - 20 && value <= again + 5;
      expect(missing.filter((value) => !whileKilled(value) && !whileCut(value))).toEqual([]);

      await server.kill();
      const ended = server.lines.length;
      await server.start(); // it counts from 1 again
      await until(async () => server.lines.slice(ended).includes(`counted ${await newest()}`));
      expect(await second.stop()).toBe(0);
      expect(second.stderr()).toContain("stopped; everything is settled");

      const [precise, ...more] = await allReadings(platform.grpc, "Precise");
      expect(precise).toMatchObject({ value: 1, observedAt: { seconds: 1_793_491_200n, nanos: 123_456_000 } });
      expect(more).toEqual([]);
      expect((await allReadings(platform.grpc, "Old"))[0]).toMatchObject({
        value: 2.5,
        metadata: { opcua_status: "UncertainLastUsableValue" },
      });
      const profiles = runCli("collect", "opcua", "browse", config, "--format", "sensors");
      expect(await profiles.ended, profiles.stderr()).toBe(0);
      writeFileSync(join(folder, "sensors.yaml"), profiles.stdout());
      const apply = runCli("sensor", "apply", join(folder, "sensors.yaml"), "--url", platform.grpc);
      expect(await apply.ended, apply.stderr()).toBe(0);
      expect(apply.stdout()).toContain("Of the oil tank");
      for (const none of ["Broken", "Name", "None"]) expect(await allReadings(platform.grpc, none)).toEqual([]);
    });
  },
);
