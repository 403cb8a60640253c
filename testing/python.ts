/** Python with packages from PyPI, in a folder of its own that later runs find again. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../.cache/", import.meta.url));
const EXAMPLES = new URL("../examples/python/requirements.txt", import.meta.url);

/** Programs in Python that tests run. */
export const SCHEMATHESIS = ["schemathesis==4.32.5"];
export const GQL = ["gql[websockets]==4.4.0"];
export const OPENTELEMETRY = ["opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp==1.45.2"];
export const COLUMNAR = ["pyarrow==26.0.1", "pandas==3.1.1", "polars==2.1.0"];
export const LOCUST = ["locust==2.47.0", "grpcio==1.85.1", "grpcio-tools==1.85.1"];
/** Clients that send while the platform is killed. */
export const KILLED_CLIENTS = [...OPENTELEMETRY, "paho-mqtt==2.1.0", "influxdb-client==1.50.0"];
/** Programs that describe their sensors to Home Assistant; linux2mqtt does not start with psutil 7. */
export const DISCOVERY = [
  ...["ha-mqtt-discoverable==0.26.0", "penguin-metrics==0.0.2", "linux2mqtt==1.7.0"],
  ...["paho-mqtt==2.2.0", "psutil==6.1.1"],
];
/** A device and a server that collectors read. */
export const PYMODBUS = ["pymodbus==3.16.1"];
export const ASYNCUA = ["asyncua==2.1.0"];

/** What a requirements file lists. */
export async function requirements(file: string | URL): Promise<string[]> {
  return (await readFile(file, "utf8")).split("\n").filter(Boolean);
}

/**
 * Path of the folder with the interpreter and the packages' programs.
 *
 * @param packages as pip takes them, pinned
 */
export async function pythonWith(packages: readonly string[]): Promise<string> {
  const name = createHash("sha256").update(packages.join(" ")).digest("hex").slice(0, 12);
  const folder = join(CACHE, `python-${name}`);
  const bin = join(folder, "bin");
  const complete = join(folder, "complete");
  const known = await access(complete).then(
    () => true,
    () => false, // not made yet, or not to its end: it is made again
  );
  if (known) return bin;
  await mkdir(CACHE, { recursive: true });
  // Test files run side by side, and several may want the same packages: the others wait, and find it made. Of a package's modules
  // only those that are used are compiled, when they are: all of them would be a third of the work.
  const script = `
    [ -e "$1/complete" ] && exit
    python3 -m venv --clear "$1"
    folder=$1; shift
    "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --no-compile "$@" && touch "$folder/complete"`;
  await run("flock", [`${folder}.lock`, "sh", "-ec", script, "sh", folder, ...packages], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return bin;
}

// Alone, it only fetches what is needed, so that no test waits for it.
if (import.meta.main) {
  const sets = [
    SCHEMATHESIS,
    GQL,
    COLUMNAR,
    LOCUST,
    PYMODBUS,
    ASYNCUA,
    KILLED_CLIENTS,
    DISCOVERY,
    await requirements(EXAMPLES),
  ];
  await Promise.all(sets.map(pythonWith));
}
