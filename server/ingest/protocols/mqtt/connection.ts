/** One connection to a broker, from CONNECT to its end. It does not connect again. */
import mqtt, { type IConnackPacket, type IPublishPacket, type Packet } from "mqtt-packet";
import { ANSWER_MS, MAX_PACKET_BYTES, MAX_PACKET_IDS } from "./limits.ts";
import { reasonText } from "./reason-codes.ts";

/** What carries the bytes: a socket with or without TLS. The caller of `dial` owns it until it is given to a connection. */
export interface Wire {
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

export interface Will {
  readonly topic: string;
  readonly payload: string;
}

export interface ConnectOptions {
  readonly clientId: string;
  readonly version: 4 | 5;
  /** Whether the broker begins a new session and forgets it at the end. */
  readonly clean: boolean;
  readonly sessionExpirySeconds: number;
  readonly keepaliveSeconds: number;
  /** Messages that the broker may send before it has acknowledgements; MQTT 5 alone can say it. */
  readonly receiveMaximum: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Published (QoS 1, retained) by the broker when the connection ends without a goodbye. */
  readonly will?: Will | undefined;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  /** Retained messages come at every subscription; false: only where the session is new to it, which MQTT 5 alone can say. */
  readonly retained: boolean;
}

export interface Listener {
  /** The broker has accepted the connection; called before anything else that it sends is handed on. */
  accepted(sessionPresent: boolean): void;
  /** Messages that came together, in order. */
  messages(packets: readonly IPublishPacket[], from: Connection): void;
  /** The broker has everything that was written before ping `number`. */
  pinged(number: number): void;
}

/** The broker's answer, or the want of one: a sentence. */
export class BrokerError extends Error {
  override name = "BrokerError";
}

export class Connection {
  readonly #wire: Wire;
  readonly #options: ConnectOptions;
  readonly #listener: Listener;
  readonly #parser: ReturnType<typeof mqtt.parser>;
  readonly #closed = Promise.withResolvers<BrokerError>();
  /** By packet id, or 0 for the answer to CONNECT: the command that is waited for. */
  readonly #waiting = new Map<number, PromiseWithResolvers<Packet> & { readonly cmd: string }>();
  #batch: IPublishPacket[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #nextId = 1;
  #heard = true;
  #isPaused = false;
  /** Why the connection has ended. */
  #end: BrokerError | undefined;
  #isAccepted = false;
  /** Pings sent so far, over all connections of the session. */
  #pings: number;
  #answeredPings: number;
  sessionPresent = false;

  /** Resolves with the reason when the connection has ended. */
  readonly closed: Promise<BrokerError> = this.#closed.promise;

  private constructor(wire: Wire, options: ConnectOptions, listener: Listener, pings: number) {
    this.#wire = wire;
    this.#options = options;
    this.#listener = listener;
    this.#pings = pings;
    this.#answeredPings = pings;
    this.#parser = mqtt.parser({ protocolVersion: options.version });
    this.#parser.on("packet", (packet) => this.#received(packet));
    this.#parser.on("error", (error: Error) => this.#fail(`sends what is no MQTT (${error.message})`));
    wire.on("data", (chunk) => this.#data(chunk));
    wire.on("error", (error) => this.#fail(`cannot be reached (${error.message})`));
    wire.on("close", () => this.#fail("has closed the connection"));
  }

  /**
   * Says CONNECT and waits for its answer.
   *
   * @param pings the session's pings before this connection
   * @throws BrokerError where the broker refuses or does not answer
   */
  static async open(wire: Wire, options: ConnectOptions, listener: Listener, pings = 0): Promise<Connection> {
    const connection = new Connection(wire, options, listener, pings);
    await connection.#connect();
    return connection;
  }

  get pings(): number {
    return this.#pings;
  }
  get isOpen(): boolean {
    return this.#end === undefined;
  }

  async #connect(): Promise<void> {
    const { version, clientId, clean, keepaliveSeconds, username, password, will } = this.#options;
    const answered = this.#answer("connack", 0);
    this.#send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clientId,
      clean,
      keepalive: keepaliveSeconds,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
      ...(will !== undefined && { will: { ...will, qos: 1 as const, retain: true } }),
      ...(version === 5 && { properties: this.#properties() }),
    });
    await answered;
  }

  /** At once: what comes in the same bytes already belongs to the session that it speaks of. */
  #accept(answer: IConnackPacket): void {
    const { version, keepaliveSeconds } = this.#options;
    const code = answer.reasonCode ?? answer.returnCode ?? 0;
    if (code !== 0) {
      this.#fail(`refuses the connection: ${reasonText(code, version)}`);
      return;
    }
    this.#isAccepted = true;
    this.sessionPresent = answer.sessionPresent;
    this.#listener.accepted(answer.sessionPresent);
    // 0 means that the broker wants none.
    const seconds = answer.properties?.serverKeepAlive ?? keepaliveSeconds;
    if (seconds > 0) this.#timer = setInterval(() => this.#ping(), seconds * 1_000);
  }

  #properties() {
    const { clean, sessionExpirySeconds, receiveMaximum } = this.#options;
    return {
      sessionExpiryInterval: clean ? 0 : sessionExpirySeconds,
      receiveMaximum,
      maximumPacketSize: MAX_PACKET_BYTES,
    };
  }

  /**
   * @returns for each of the subscriptions what the broker says against it, or undefined
   * @throws BrokerError where the connection ends before the answer
   */
  async subscribe(subscriptions: readonly Subscription[]): Promise<(string | undefined)[]> {
    const messageId = this.#takeId();
    const { version } = this.#options;
    const answered = this.#answer("suback", messageId);
    this.#send({
      cmd: "subscribe",
      messageId,
      subscriptions: subscriptions.map(({ filter, qos, retained }) => ({
        topic: filter,
        qos,
        ...(version === 5 && { nl: false, rap: false, rh: retained ? 0 : 1 }),
      })),
    });
    const answer = await answered;
    const granted = answer.cmd === "suback" ? (answer.granted as number[]) : [];
    return subscriptions.map((_, i) => {
      const code = granted[i] ?? 128;
      return code < 128 ? undefined : reasonText(code, version === 5 ? 5 : 4);
    });
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    const messageId = this.#takeId();
    const answered = this.#answer("unsuback", messageId);
    this.#send({ cmd: "unsubscribe", messageId, unsubscriptions: [...filters] });
    await answered;
  }

  /** @throws BrokerError where the connection ends before the broker has taken it */
  async publish(topic: string, payload: string | Buffer, { qos, retain }: { qos: 0 | 1; retain: boolean }) {
    const messageId = qos === 1 ? this.#takeId() : 0;
    const answered = qos === 1 ? this.#answer("puback", messageId) : undefined;
    this.#send({ cmd: "publish", topic, payload, qos, retain, dup: false, ...(qos === 1 && { messageId }) });
    await answered;
  }

  /** Says PUBACK for messages of this connection, in the order in which they came. */
  acknowledge(ids: readonly number[]): void {
    if (!this.isOpen || ids.length === 0) return;
    // The short form of both versions: success.
    const bytes = Buffer.allocUnsafe(ids.length * 4);
    ids.forEach((id, i) => {
      bytes.writeUInt32BE(0x4002_0000 + id, i * 4);
    });
    this.#wire.write(bytes);
  }

  /** Reads no more until `resume`; what the socket has is read to its end. */
  pause(): void {
    this.#isPaused = true;
    this.#wire.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#heard = true;
    this.#wire.resume();
  }

  /** Says goodbye: the broker keeps the session, and publishes no will. */
  end(): void {
    if (!this.isOpen) return;
    this.#send({ cmd: "disconnect" });
    this.#wire.end();
    this.#close(new BrokerError("was left"));
  }

  /** Ends it without a goodbye. */
  destroy(why: string): void {
    this.#fail(why);
  }

  #data(chunk: Buffer): void {
    this.#heard = true;
    if (!this.isOpen) return;
    try {
      this.#parser.parse(chunk);
    } catch (error) {
      // Its library reads past the end of some malformed packets.
      this.#fail(`sends what is no MQTT (${error instanceof Error ? error.message : String(error)})`);
    }
    // What came before a failure was sent, and a message of QoS 0 is not sent again.
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#listener.messages(batch, this);
  }

  #received(packet: Packet): void {
    if (!this.isOpen) return;
    if (!this.#isAccepted && packet.cmd !== "connack") {
      this.#fail(`answers CONNECT with ${packet.cmd.toUpperCase()}`);
      return;
    }
    switch (packet.cmd) {
      case "connack":
        if (this.#isAccepted) {
          this.#fail("answers CONNECT twice");
          return;
        }
        this.#accept(packet);
        if (this.isOpen) this.#resolve(0, packet);
        return;
      case "publish":
        // The subscriptions are of QoS 1 at most.
        if (packet.qos === 2) this.#fail("sends a message of QoS 2, which was not subscribed");
        else this.#batch.push(packet);
        return;
      case "pingresp":
        this.#listener.pinged(++this.#answeredPings);
        return;
      case "disconnect":
        this.#fail(`ends the connection: ${reasonText(packet.reasonCode ?? 128, 5)}`);
        return;
      default:
        this.#resolve(packet.messageId ?? 0, packet);
    }
  }

  #ping(): void {
    if (!this.#heard && !this.#isPaused) {
      this.#fail("does not answer");
      return;
    }
    // While nothing is read, the answer is not either.
    if (!this.#isPaused) this.#heard = false;
    this.#pings++;
    this.#send({ cmd: "pingreq" });
  }

  /** Rejects where it does not come in time or the connection ends. While nothing is read, it cannot come: that time does not count. */
  #answer(cmd: string, id: number): Promise<Packet> {
    const answered = Promise.withResolvers<Packet>();
    this.#waiting.set(id, { ...answered, cmd });
    const late = () => {
      if (this.#isPaused) timer.refresh();
      else this.#fail(`did not answer within ${ANSWER_MS / 1_000} s`);
    };
    const timer = setTimeout(late, ANSWER_MS);
    if (this.#end !== undefined) answered.reject(this.#end);
    return answered.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  #resolve(id: number, packet: Packet): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.cmd === packet.cmd) waiting.resolve(packet);
  }

  /** One that no request under way has. */
  #takeId(): number {
    if (this.#waiting.size >= MAX_PACKET_IDS) throw this.#fail("leaves every request unanswered");
    let id: number;
    do {
      id = this.#nextId;
      this.#nextId = id === MAX_PACKET_IDS ? 1 : id + 1;
    } while (this.#waiting.has(id));
    return id;
  }

  #send(packet: Packet): void {
    if (!this.isOpen) return;
    this.#wire.write(mqtt.generate(packet, { protocolVersion: this.#options.version }));
  }

  #fail(why: string): BrokerError {
    const error = new BrokerError(`The broker ${why}`);
    this.#close(error);
    this.#wire.destroy();
    return error;
  }

  #close(error: BrokerError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    clearInterval(this.#timer);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#closed.resolve(error);
  }
}
