import { EventEmitter } from "node:events";
import mqtt, { type Packet } from "mqtt-packet";
import type { Wire } from "../server/ingest/protocols/mqtt/connection.ts";

/** The broker's side of a connection of MQTT 5, in memory: for what no broker can be made to do. */
export class MqttLine extends EventEmitter implements Wire {
  /** What came from the client. */
  readonly sent: Packet[] = [];
  readonly #parser = mqtt.parser({ protocolVersion: 5 });
  isDestroyed = false;
  isPaused = false;
  constructor() {
    super();
    this.#parser.on("packet", (packet) => {
      this.sent.push({ ...packet });
      this.emit("sent", packet);
    });
  }
  write(bytes: Uint8Array): boolean {
    this.#parser.parse(Buffer.from(bytes));
    return true;
  }
  end(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  /** In one piece. */
  say(...packets: readonly Packet[]): void {
    this.emit("data", Buffer.concat(packets.map((packet) => mqtt.generate(packet, { protocolVersion: 5 }))));
  }
}
