import { connectAsync, type IClientOptions, type IClientPublishOptions, type MqttClient } from "mqtt";

export interface Publisher {
  readonly client: MqttClient;
  /** Resolves when the broker has the message. */
  publish(topic: string, payload: unknown, options?: IClientPublishOptions): Promise<void>;
  stop(): Promise<void>;
}

/** A device, or many of them: publishes with QoS 1 unless told otherwise. What is no text or bytes is sent as JSON. */
export async function startPublisher(url: string, options: IClientOptions = {}): Promise<Publisher> {
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 100, ...options });
  return {
    client,
    publish: async (topic, payload, more = {}) => {
      const bytes = typeof payload === "string" || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
      await client.publishAsync(topic, bytes, { qos: 1, ...more });
    },
    stop: () => client.endAsync(true),
  };
}
