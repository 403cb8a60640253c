import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.tahu.edge.EdgeClient;
import org.eclipse.tahu.edge.api.MetricHandler;
import org.eclipse.tahu.message.SparkplugBPayloadDecoder;
import org.eclipse.tahu.message.SparkplugBPayloadEncoder;
import org.eclipse.tahu.message.model.EdgeNodeDescriptor;
import org.eclipse.tahu.message.model.MessageType;
import org.eclipse.tahu.message.model.Metric;
import org.eclipse.tahu.message.model.Metric.MetricBuilder;
import org.eclipse.tahu.message.model.MetricDataType;
import org.eclipse.tahu.message.model.PropertyDataType;
import org.eclipse.tahu.message.model.PropertySet;
import org.eclipse.tahu.message.model.PropertyValue;
import org.eclipse.tahu.message.model.SparkplugBPayload;
import org.eclipse.tahu.message.model.SparkplugBPayloadMap;
import org.eclipse.tahu.message.model.SparkplugDescriptor;
import org.eclipse.tahu.message.model.SparkplugMeta;
import org.eclipse.tahu.message.model.StatePayload;
import org.eclipse.tahu.message.model.Topic;
import org.eclipse.tahu.model.MqttServerDefinition;
import org.eclipse.tahu.mqtt.ClientCallback;
import org.eclipse.tahu.mqtt.MqttClientId;
import org.eclipse.tahu.mqtt.MqttServerName;
import org.eclipse.tahu.mqtt.MqttServerUrl;

/**
 * An edge node of Eclipse Tahu, which counts until its standard input ends: java Edge.java PORT [PRIMARY_HOST_ID]
 *
 * <p>It prints "birth TIME COUNT" and "data TIME COUNT" of what it publishes, with times in milliseconds, and "rebirth" when its host
 * asks for one. With a primary host it prints what it measures while that is offline too, and sends after each birth all that it has
 * measured, as historical.
 */
public class Edge implements MetricHandler, ClientCallback {
  private static final EdgeNodeDescriptor NODE = new EdgeNodeDescriptor("plant", "tahu");
  private static final String DEVICE = "press";
  private static final Topic DEATH = new Topic(SparkplugMeta.SPARKPLUG_B_TOPIC_PREFIX, NODE, MessageType.NDEATH);
  private static final int PACE_MS = 10;
  private static final int HISTORICAL_IN_A_MESSAGE = 500;

  private record Count(long timeMs, long value) {
    Metric metric(boolean isHistorical) throws Exception {
      MetricBuilder builder = new MetricBuilder("Strokes/count", MetricDataType.Int64, value).timestamp(new Date(timeMs));
      return (isHistorical ? builder.isHistorical(true) : builder).createMetric();
    }
  }

  /** Births and data by turns: the client of Tahu takes what comes while it gives out new aliases for nameless. */
  private final ScheduledExecutorService turns = Executors.newSingleThreadScheduledExecutor();
  private final List<Count> measured = new ArrayList<>();
  private final boolean hasPrimaryHost;
  private final EdgeClient client;
  private volatile Count newest = new Count(0, 0);
  private volatile boolean isHistoryDue;
  private long bdSeq = -1;

  Edge(String port, String primaryHost) throws Exception {
    hasPrimaryHost = primaryHost != null;
    MqttServerUrl url = new MqttServerUrl("tcp://127.0.0.1:" + port);
    MqttServerDefinition server = new MqttServerDefinition(
        new MqttServerName("broker"), new MqttClientId("tahu", false), url, null, null, 30, DEATH);
    client = new EdgeClient(this, NODE, List.of(DEVICE), primaryHost, true, 0L, List.of(server), this, null);
    // A birth message has a value in any case.
    Count first = measure();
    if (hasPrimaryHost) print("data", first);
  }

  public static void main(String[] args) throws Exception {
    Edge edge = new Edge(args[0], args.length > 1 ? args[1] : null);
    new Thread(edge.client).start();
    Future<?> counting =
        edge.turns.scheduleAtFixedRate(guarded(edge::count), PACE_MS, PACE_MS, TimeUnit.MILLISECONDS);
    while (System.in.read() >= 0) {}
    edge.turns.submit(() -> {
      counting.cancel(false);
      edge.client.shutdown();
    }).get();
    System.exit(0);
  }

  private interface Work {
    void run() throws Exception;
  }

  /** What fails ends the process, which its test notices. */
  private static Runnable guarded(Work work) {
    return () -> {
      try {
        work.run();
      } catch (Throwable error) {
        error.printStackTrace();
        Runtime.getRuntime().halt(1);
      }
    };
  }

  private Count measure() {
    newest = new Count(Math.max(newest.timeMs + 1, System.currentTimeMillis()), newest.value + 1);
    measured.add(newest);
    return newest;
  }

  private void count() throws Exception {
    boolean isOnline = client.isConnectedToPrimaryHost();
    if (isOnline && isHistoryDue) {
      isHistoryDue = false;
      for (int from = 0; from < measured.size(); from += HISTORICAL_IN_A_MESSAGE) {
        List<Metric> metrics = new ArrayList<>();
        for (Count each : measured.subList(from, Math.min(measured.size(), from + HISTORICAL_IN_A_MESSAGE)))
          metrics.add(each.metric(true));
        publish(metrics);
      }
    }
    Count next = measure();
    if (isOnline) publish(List.of(next.metric(false)));
    if (isOnline || hasPrimaryHost) print("data", next);
  }

  private void publish(List<Metric> metrics) {
    client.publishDeviceData(DEVICE, new SparkplugBPayload(new Date(), metrics, 0L, null, null));
  }

  private static void print(String what, Count count) {
    System.out.println(what + " " + count.timeMs + " " + count.value);
  }

  @Override
  public Topic getDeathTopic() {
    return DEATH;
  }

  @Override
  public byte[] getDeathPayloadBytes() throws Exception {
    bdSeq = (bdSeq + 1) % 256;
    return new SparkplugBPayloadEncoder().getBytes(payload(bdSeqMetric()), true);
  }

  @Override
  public void publishBirthSequence() {
    guarded(() -> {
      PropertySet properties = new PropertySet();
      properties.setProperty("engUnit", new PropertyValue<>(PropertyDataType.String, "kW"));
      client.publishNodeBirth(payload(
          bdSeqMetric(),
          new MetricBuilder("load", MetricDataType.Double, 7.5).properties(properties).createMetric(),
          new MetricBuilder("Properties/Hardware", MetricDataType.String, "a press").createMetric()));
      Count last = newest;
      client.publishDeviceBirth(DEVICE, payload(
          last.metric(false),
          new MetricBuilder("running", MetricDataType.Boolean, true).createMetric()));
      print("birth", last);
      isHistoryDue = hasPrimaryHost;
    }).run();
  }

  private Metric bdSeqMetric() throws Exception {
    return new MetricBuilder("bdSeq", MetricDataType.Int64, bdSeq).createMetric();
  }

  private static SparkplugBPayloadMap payload(Metric... metrics) {
    return new SparkplugBPayloadMap(new Date(), List.of(metrics), 0, null, null);
  }

  @Override
  public boolean hasMetric(SparkplugDescriptor descriptor, String name) {
    return true;
  }

  @Override
  public void messageArrived(
      MqttServerName name, MqttServerUrl url, MqttClientId id, String topic, MqttMessage message) {
    turns.execute(guarded(() -> {
      if (topic.contains("/STATE/")) {
        StatePayload state = new ObjectMapper().readValue(message.getPayload(), StatePayload.class);
        client.handleStateMessage(topic.substring(topic.lastIndexOf('/') + 1), state);
      } else if (topic.contains("/NCMD/")) {
        for (Metric metric : new SparkplugBPayloadDecoder().buildFromByteArray(message.getPayload(), null).getMetrics()) {
          if (!SparkplugMeta.METRIC_NODE_REBIRTH.equals(metric.getName()) || !Boolean.TRUE.equals(metric.getValue())) continue;
          System.out.println("rebirth");
          client.handleRebirthRequest(true);
        }
      }
    }));
  }

  @Override
  public void connectionLost(MqttServerName name, MqttServerUrl url, MqttClientId id, Throwable cause) {}

  @Override
  public void connectComplete(boolean isReconnect, MqttServerName name, MqttServerUrl url, MqttClientId id) {}

  @Override
  public void shutdown() {}
}
