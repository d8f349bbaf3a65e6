// Prometheus' answers as Grafana's data frames, with a panel's transformations, defaults and overrides applied.
import { lastValueFrom } from "rxjs";
import {
  applyFieldOverrides, cacheFieldDisplayNames, createDataFrame, FieldConfigOptionsRegistry, FieldType, identityOverrideProcessor,
  standardTransformers, standardTransformersRegistry, transformDataFrame,
} from "@grafana/data";

// Some are exported under two names.
const TRANSFORMERS = new Map(Object.values(standardTransformers).map((transformer) => [transformer.id, transformer]));
standardTransformersRegistry.setInit(() => [...TRANSFORMERS].map(([id, transformer]) => (
  { id, name: transformer.name, transformation: async () => transformer }
)));

const STANDARD = ["unit", "min", "max", "fieldMinMax", "decimals", "displayName", "noValue", "color", "thresholds", "mappings"];

/** What a panel's defaults and overrides may set: the standard settings, and those of its kind that it has itself. */
function settings({ defaults, overrides }) {
  const own = new Set([...Object.keys(defaults.custom ?? {}), ...overrides.flatMap(({ properties }) => (
    properties.map(({ id }) => id).filter((id) => id.startsWith("custom.")).map((id) => id.slice("custom.".length))
  ))]);
  const item = (id, path, isCustom) => ({
    id, path, name: path, isCustom, process: identityOverrideProcessor, shouldApply: () => true,
  });
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((name) => item(name, name, false)),
    ...[...own].map((name) => item(`custom.${name}`, name, true)),
  ]);
}

function legend(format, labels) {
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "");
}

// As Grafana's data source has it: what is no number is no point.
function number([, text]) {
  return text === "NaN" ? null : Number(text);
}

/** One frame for each series. */
function series({ target, step, result }) {
  return result.map(({ metric, values, value }) => {
    const points = values ?? [value];
    const name = legend(target.legendFormat, metric);
    return createDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: FieldType.time, values: points.map(([time]) => time * 1000), config: { interval: step * 1000 } },
        { name: "Value", type: FieldType.number, values: points.map(number), labels: metric,
          config: name ? { displayNameFromDS: name } : {} },
      ],
    });
  });
}

/** One frame for all series: a column for each label, and one for the value. */
function table({ target, result }) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [createDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, values: result.map(({ value: [time] }) => time * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: result.map(({ metric }) => metric[label] ?? "") })),
      { name: `Value #${target.refId}`, type: FieldType.number, values: result.map(({ value }) => number(value)) },
    ],
  })];
}

/** A panel's data, ready to be drawn. */
export async function frames(panel, answers, theme) {
  if (!panel.fieldConfig) return [];
  const raw = answers.flatMap((answer) => (answer.target.format === "table" ? table(answer) : series(answer)));
  const transformed = await lastValueFrom(transformDataFrame(panel.transformations ?? [], raw));
  const data = applyFieldOverrides({
    data: transformed, fieldConfig: panel.fieldConfig, fieldConfigRegistry: settings(panel.fieldConfig),
    replaceVariables: (text) => text, theme, timeZone: "utc",
  });
  cacheFieldDisplayNames(data);
  return data;
}
