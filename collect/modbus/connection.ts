/** One TCP connection to a Modbus device or gateway, over the library `modbus-serial`. Requests go one after the other. */
import modbus from "modbus-serial";
import { isBitTable, type Read } from "./registers.ts";

// Its types say so; at run time both are the same class.
const ModbusRTU = modbus.default;
type ModbusRTU = InstanceType<typeof ModbusRTU>;

/** The device answers that it does not do what was asked. */
export class ModbusException extends Error {
  override name = "ModbusException";
  readonly code: number;

  constructor(code: number) {
    super(`the device answers with exception ${code} (${EXCEPTIONS[code] ?? "unknown"})`);
    this.code = code;
  }

  /** Whether it is about what was asked for, and not about the state of the device. */
  get isAboutAddress(): boolean {
    return this.code >= 1 && this.code <= 3;
  }
}

/** The device says nothing. */
export class NoAnswer extends Error {
  override name = "NoAnswer";
}

/** What the library rejects with, of which some are no errors. */
function errorOf(thrown: unknown): Error {
  const {
    modbusCode,
    errno,
    message = String(thrown),
  } = thrown as {
    readonly modbusCode?: number;
    readonly errno?: unknown;
    readonly message?: string;
  };
  if (modbusCode !== undefined) return new ModbusException(modbusCode);
  return errno === "ETIMEDOUT" ? new NoAnswer("the device does not answer") : new Error(message, { cause: thrown });
}

const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: "illegal function: it has no such table",
  2: "illegal data address: it has no such register",
  3: "illegal data value: so many registers cannot be read together",
  4: "device failure",
  5: "acknowledge",
  6: "busy",
  8: "memory parity error",
  10: "gateway path unavailable",
  11: "gateway target does not respond",
};

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export class ModbusConnection {
  readonly #client: ModbusRTU;

  private constructor(client: ModbusRTU) {
    this.#client = client;
  }

  /** @throws where it does not come about within the time */
  static async open({ host, port }: Endpoint, timeoutMs: number): Promise<ModbusConnection> {
    const client = new ModbusRTU();
    // Without a listener an error of the socket would end the process; each request hears of it by itself.
    client.on("error", () => {});
    try {
      await client.connectTCP(host, { port, timeout: timeoutMs });
    } catch (error) {
      client.destroy(() => {});
      throw errorOf(error);
    }
    return new ModbusConnection(client);
  }

  /**
   * What the device has there: two bytes a register as on the wire, or a bit as a register.
   *
   * @throws ModbusException, NoAnswer; any other error is one of the connection
   */
  async read(unitId: number, { table, address, count }: Read, timeoutMs: number): Promise<Uint8Array> {
    const client = this.#client;
    client.setID(unitId);
    client.setTimeout(timeoutMs);
    try {
      if (isBitTable(table)) {
        const { data } = await (table === "coil"
          ? client.readCoils(address, count)
          : client.readDiscreteInputs(address, count));
        return wordsOf(data.slice(0, count));
      }
      const { buffer } = await (table === "holding"
        ? client.readHoldingRegisters(address, count)
        : client.readInputRegisters(address, count));
      if (buffer.length !== 2 * count)
        throw new Error(`the device answers with ${buffer.length} bytes of ${2 * count}`);
      return buffer;
    } catch (error) {
      throw errorOf(error);
    }
  }

  close(): void {
    this.#client.destroy(() => {});
  }
}

function wordsOf(bits: readonly boolean[]): Uint8Array {
  return Uint8Array.from(bits.flatMap((bit) => [0, bit ? 1 : 0]));
}
