/** Templates and what Alertmanager's own tool makes of them, for the message of the tests of templates. */

type Case = readonly [template: string, expected: string];

export const TEXTS: readonly Case[] = [
  ["a {{- 1 -}} b {{ 2 }}c", "a1b 2c"],
  ["a {{/* not \n shown */}} b {{- /* neither */ -}} c", "a  bc"],
  ["{{ .Receiver }} {{ .Status | toUpper }} {{ $.Status }}", "ops team FIRING firing"],
  ["{{ .CommonLabels.severity }}/{{ .CommonLabels.none }}/{{ .GroupLabels }}", "critical//alertname=High"],
  ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}", "32"],
  ['{{ if eq .Status "x" }}1{{ else if gt (len .Alerts) 1 }}2{{ else }}3{{ end }}', "2"],
  ["{{ if not .CommonLabels.none }}no{{ end }}{{ if .CommonAnnotations }}yes{{ end }}", "noyes"],
  ["{{ range .Alerts }}[{{ .Labels.instance }}]{{ end }}", "[pump-1][pump-2]"],
  ["{{ range $i, $a := .Alerts }}{{ $i }}={{ $a.Labels.instance }} {{ end }}", "0=pump-1 1=pump-2 "],
  ["{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}", "alertname=High;severity=critical;"],
  [
    "{{ range (index .Alerts 0).Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
    "alertname=High instance=pump-1 severity=critical ",
  ],
  ["{{ range stringSlice }}x{{ else }}none{{ end }}", "none"],
  [
    '{{ range .Alerts }}{{ if eq .Status "resolved" }}{{ break }}{{ end }}{{ .Status }}{{ continue }}x{{ end }}',
    "firing",
  ],
  [
    "{{ with .CommonLabels.severity }}{{ . }}{{ else }}none{{ end }}{{ with .CommonLabels.x }}{{ . }}{{ else }}none{{ end }}",
    "criticalnone",
  ],
  ["{{ with $x := .Status }}{{ $x }}{{ end }}", "firing"],
  ['{{ define "a" }}<{{ . }}>{{ end }}{{ template "a" .Status }}{{ template "a" }}', "<firing><<no value>>"],
  ['{{ block "b" .Alerts }}{{ len . }}{{ end }}', "2"],
  ["{{ .Alerts.Firing | len }}{{ len .Alerts.Resolved }}", "11"],
  ['{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join ", " }}', "critical"],
  [
    '{{ .CommonLabels.SortedPairs.Names | join "-" }} {{ .CommonLabels.Names }} {{ .CommonLabels.Values.Join ":" }} {{ .CommonLabels.SortedPairs }}',
    "alertname-severity [alertname severity] High:critical alertname=High, severity=critical",
  ],
  ['{{ and 1 0 }} {{ and 1 2 }} {{ or 0 "x" }} {{ or 0 0.0 }} {{ and false (index .Alerts 9) }}', "0 2 x 0 false"],
  [
    '{{ eq 1 2 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ le 2.5 2.5 }} {{ gt "b" "a" }} {{ ge 1 2 }}',
    "true true true true true false",
  ],
  ['{{ index .CommonLabels "severity" }} {{ slice "abcdef" 1 3 }} {{ len "é" }}', "critical bc 2"],
  ['{{ print 1 2 "a" 3 4 true }}|{{ println "x" 1 }}', "1 2a3 4 true|x 1\n"],
  [
    '{{ printf "%s|%5s|%-5s|%q|%v|%d|%05d|%+d|%x|%.2f|%t|%%" "a" "b" "c" "d\\n" 1.5 2 -3 4 255 1.005 true }}',
    'a|    b|c    |"d\\n"|1.5|2|-0003|+4|ff|1.00|true|%',
  ],
  ['{{ printf "%d %s" 1 }}{{ printf "%s" "a" 2 }}', "1 %!s(MISSING)a%!(EXTRA int=2)"],
  [
    '{{ 1e3 }} {{ 0x1F }} {{ 1.50 }} {{ -2 }} {{ `r\\n` }} {{ "\\u00e9\\t" }} {{ 1e21 }} {{ 0.00001 }}',
    "1000 31 1.5 -2 r\\n é\t 1e+21 1e-05",
  ],
  ['{{ html .CommonAnnotations.team }} {{ urlquery "a b/&é~" }}', "a &amp; b a+b%2F%26%C3%A9~"],
  ['{{ "aBC def-ghi_jkl don\'t 1st" | title }} {{ toLower "ÀB" }}', "Abc Def-Ghi_jkl Don't 1St àb"],
  [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's
    '{{ trimSpace " a " }} {{ match "^pu.p" "pump" }} {{ reReplaceAll "(p)(?P<x>u)" "${2}${x}-$1_" "pump pu" }}',
    "a true uu-mp uu-",
  ],
  ['{{ join "+" (stringSlice "a" "b") }} {{ stringSlice "a" "b" }}', "a+b [a b]"],
  [
    "{{ (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).EndsAt }}",
    "2026-10-03 04:05:06.789012 +0000 UTC 0001-01-01 00:00:00 +0000 UTC",
  ],
  [
    '{{ (index .Alerts 0).StartsAt.Format "Mon Jan _2 2006 3:04PM Z07:00 .000 002" }}',
    "Sat Oct  3 2026 4:05AM Z .789 276",
  ],
  [
    '{{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "Monday, 02-Jan-06 15:04:05 MST -0700" }}',
    "Saturday, 03-Oct-26 06:05:06 CEST +0200",
  ],
  [
    "{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }} {{ .EndsAt.Sub .StartsAt | humanizeDuration }} {{ .StartsAt.Unix }}{{ end }}",
    "1h2m5.5s 1h 2m 5s 1791000306",
  ],
  [
    '{{ humanizeDuration 0.0123456 }} {{ humanizeDuration 59.87654 }} {{ humanizeDuration "90061" }} {{ humanizeDuration 0 }}',
    "12.35ms 59.88s 1d 1h 1m 1s 0s",
  ],
  [
    '{{ toJson .CommonLabels }} {{ toJson "<&>" }} {{ toJson (index .Alerts 0).StartsAt }}',
    '{"alertname":"High","severity":"critical"} "\\u003c\\u0026\\u003e" "2026-10-03T04:05:06.789012Z"',
  ],
  [
    "{{ (index .Alerts 0).Fingerprint }} {{ (index .Alerts 0).GeneratorURL }}",
    "81478189f535971f https://am.example.com",
  ],
  ['{{ template "__subject" . }}|{{ template "slack.default.color" . }}', "[FIRING:1] High (critical)|danger"],
  [
    '{{ template "__text_alert_list" .Alerts.Firing }}',
    "Labels:\n - alertname = High\n - instance = pump-1\n - severity = critical\nAnnotations:\n - n = -7\n - summary = <b>hot</b> & loud\nSource: https://am.example.com\n",
  ],
  ["{{ range $i := 3 }}{{ $i }}{{ end }}{{ range 0 }}x{{ else }}none{{ end }}", "012none"],
  [
    "{{ .CommonLabels.String }}|{{ .CommonLabels.SortedPairs.String }}|{{ .CommonLabels.toString }}{{ .CommonLabels.__proto__ }}{{ .CommonLabels.constructor }}",
    "alertname=High, severity=critical|alertname=High, severity=critical|",
  ],
  [
    "{{ with (index .Alerts 0).StartsAt }}{{ .Year }} {{ .Month }} {{ .Day }} {{ .Weekday }} {{ .YearDay }} {{ .Hour }}:{{ .Minute }}:{{ .Second }} {{ .Nanosecond }} {{ .UnixMicro }}{{ end }}",
    "2026 October 3 Saturday 276 4:5:6 789012000 1791000306789012",
  ],
  [
    '{{ ((index .Alerts 0).StartsAt.Add 28800e9).Format "2006-01-02 15:04:05" }} {{ ((index .Alerts 0).StartsAt.Add -3600000000000).Hour }} {{ ((index .Alerts 0).StartsAt.AddDate 0 1 29).Format "Jan 2" }}',
    "2026-10-03 12:05:06 3 Dec 2",
  ],
  [
    '{{ (index .Alerts 0).StartsAt | tz "Asia/Kolkata" | date "15:04 MST" }} {{ (index .Alerts 0).StartsAt | tz "Asia/Shanghai" | date "15:04 MST" }} {{ (index .Alerts 0).StartsAt | tz "Europe/Moscow" | date "MST" }} {{ (index .Alerts 0).StartsAt | tz "Pacific/Auckland" | date "MST" }} {{ (index .Alerts 0).StartsAt | tz "Africa/Johannesburg" | date "MST" }} {{ (index .Alerts 0).StartsAt | tz "Asia/Tehran" | date "MST" }}',
    "09:35 IST 12:05 CST MSK NZDT SAST +0330",
  ],
  [
    '{{ printf "%[2]s %[1]s" "a" "b" }} {{ printf "%q" .CommonLabels.Names }} {{ printf "%q" "é\\x00\\u2028\\"\'" }} {{ printf "%q" \'x\' }} {{ printf "%05s|%x|%#x|%o|%b|%U" "ab" "hi" 255 8 5 9731 }}',
    'b a ["alertname" "severity"] "é\\x00\\u2028\\"\'" \'x\' 000ab|6869|0xff|10|101|U+2603',
  ],
  [
    '{{ printf "%d" "a" }} {{ printf "%d" 1.5 }} {{ printf "%s" 1 }} {{ printf "%.1f" 1 }} {{ printf "%t" 1 }} {{ printf "%s" nil }} {{ printf "%.2s" "é漢字" }}',
    "%!d(string=a) %!d(float64=1.5) %!s(int=1) %!f(int=1) %!t(int=1) %!s(<nil>) é漢",
  ],
  [
    '{{ 1e6 }} {{ 123456789.5 }} {{ 999999.5 }} {{ -0.0 }} {{ printf "%v %g %.3g" 1e6 1e6 1234.5678 }}',
    "1e+06 1.234567895e+08 999999.5 -0 1e+06 1e+06 1.23e+03",
  ],
  ["{{ 0b101 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ 'a' }} {{ '\\n' }}", "5 15 15 1000 97 10"],
  ['{{ toUpper "straße" }} {{ toLower "ÀÉ" }}', "STRAßE àé"],
  [
    '{{ reReplaceAll "x*" "-" "axb" }} {{ reReplaceAll "(a)" "<$1é>" "a" }} {{ reReplaceAll "(?m)^" ">" "a\\nb" }} {{ reReplaceAll "." "x" "😀é" }} {{ reReplaceAll "(a)(b)?" "[$2]" "ab a" }}',
    "-a-b- <> >a\n>b xx [b] []",
  ],
  ['{{ urlUnescape "a%20b+c%2F" }} {{ urlUnescape "%ff" }}', "a b c/ �"],
  [
    '{{ $l := list 1 "x" }}{{ len $l }} {{ index $l 1 }} {{ $l }} {{ range append $l true }}{{ . }};{{ end }}{{ if list }}y{{ else }}n{{ end }} {{ join "," (list 1 "b") }}',
    "2 x [1 x] 1;x;true;n 1,b",
  ],
  [
    '{{ $d := dict "b" 1 "a" (list "x") }}{{ $d.b }} {{ index $d "a" }} {{ $d.nope }} {{ range $k, $v := $d }}{{ $k }}={{ $v }};{{ end }}{{ len $d }} {{ $d }} {{ toJson $d }}',
    '1 [x] <no value> a=[x];b=1;2 map[a:[x] b:1] {"a":["x"],"b":1}',
  ],
  ['{{ base64encode "a?>é" }} {{ base64decode "YT8-w6k=" }}', "YT8-w6k= a?>é"],
  [
    '{{ toDate "2006-01-02" "2026-03-04" }} {{ (toDate "Jan 2, 2006 at 3:04pm" "Mar 4, 2026 at 5:06pm").Unix }} {{ toDate "2006-01-02" "2026-02-30" }} {{ (mustToDate "2006-01-02T15:04:05Z07:00" "2026-03-04T05:06:07.25+02:00").UnixMilli }}',
    "2026-03-04 00:00:00 +0000 UTC 1772643960 0001-01-01 00:00:00 +0000 UTC 1772593567250",
  ],
  [
    '{{ addDuration "1h30m" (index .Alerts 0).StartsAt }} {{ addDuration "-1.5s" (index .Alerts 0).StartsAt }}',
    "1791005706789 1791000305289",
  ],
  ['{{ routeLabels "x" }}{{ .RouteLabels }}{{ .RouteLabels.x }}.', "."],
  ['{{ define "slack.default.color" }} {{/* nothing */}} {{ end }}{{ template "slack.default.color" . }}', "danger"],
  ["{{ .Status }}{{- /* a */ -}} {{ .Status }}", "firingfiring"],
  [
    '{{ template "slack.default.iconemoji" . }}{{ template "slack.default.iconurl" . }}{{ template "slack.default.callbackid" . }}.',
    ".",
  ],
];

export const HTML: readonly Case[] = [
  ["<p>{{ (index .Alerts 0).Annotations.summary }}</p>", "<p>&lt;b&gt;hot&lt;/b&gt; &amp; loud</p>"],
  ['<p title="{{ "a\\"b\'" }}">', '<p title="a&#34;b&#39;">'],
  ["<p title='{{ \"a\\\"b'\" }}'>", "<p title='a&#34;b&#39;'>"],
  ['<a href="{{ "javascript:alert(1)" }}">', '<a href="#ZgotmplZ">'],
  ['<a href="{{ .ExternalURL }}/x">x</a>', '<a href="https://am.example.com/x">x</a>'],
  ['{{ safeHtml "<i>x</i>" }}{{ "<i>" }}', "<i>x</i>&lt;i&gt;"],
  ['<b style="color: {{ "#ff0000" }}">{{ "a+b" }}</b>', '<b style="color: #ff0000">a&#43;b</b>'],
  ['<title>{{ "</title>" }}</title>{{ if true }}<b>{{ end }}{{ 1 }}</b>', "<title>&lt;/title&gt;</title><b>1</b>"],
  [
    '<a href="https://x/?q={{ .Receiver }}&n={{ "a&b=c#d" }}">x</a>',
    '<a href="https://x/?q=ops%20team&n=a%26b%3dc%23d">x</a>',
  ],
  ['<a href="https://x/{{ .Receiver }}/y?z=1#{{ "a/b" }}">x</a>', '<a href="https://x/ops%20team/y?z=1#a%2fb">x</a>'],
  ['<a href="{{ "https://x.example/a b?c=d&e=f#g" }}">x</a>', '<a href="https://x.example/a%20b?c=d&amp;e=f#g">x</a>'],
  ["<a href='{{ \"/it's(1)\" }}'>", "<a href='/it%27s%281%29'>"],
  ['<a href={{ "/a b?c=d" }}>x</a>', "<a href=/a%20b?c&#61;d>x</a>"],
  ['<a href="{{ "100% %41" }}">', '<a href="100%25%20%41">'],
  ['<a href="https://x/?r={{ .Receiver | urlquery }}">', '<a href="https://x/?r=ops&#43;team">'],
  ['<a href="{{ safeUrl "javascript:x y" }}">', '<a href="javascript:x%20y">'],
  ['<a href = "{{ "javascript:alert(1)" }}">', '<a href = "#ZgotmplZ">'],
  ['<a data-url="{{ "javascript:x" }}">', '<a data-url="#ZgotmplZ">'],
  ['<a xlink:href="{{ "javascript:x" }}">', '<a xlink:href="#ZgotmplZ">'],
  ['<p>{{ "<b>" | html }} {{ html "<" }} {{ "<b>" | urlquery }}</p>', "<p>&lt;b&gt; &lt; %3Cb%3E</p>"],
  ['<p title="{{ "<\\"" | html }}">', '<p title="&lt;&#34;">'],
  ["a<!-- b {{ .Status }} --><!--[if mso]><b>{{ .Status }}</b><![endif]-->c", "ac"],
  ['<p>{{ "\\u0000a" }}</p>', "<p>�a</p>"],
  ['<p title={{ "" }}>', "<p title=ZgotmplZ>"],
  ['<div style="{{ "color:red" }}; background:url(x)">', '<div style="color:red; background:url(x)">'],
  ['<div style="color:{{ "expression(x)" }}">', '<div style="color:ZgotmplZ">'],
  ['<div style="width:{{ 5 }}px">', '<div style="width:5px">'],
  ["<style>a{color:red}</style>{{ .Status }}", "<style>a{color:red}</style>firing"],
  ['<td{{ if true }} style="color:red"{{ end }}>{{ .Status }}</td>', '<td style="color:red">firing</td>'],
];
