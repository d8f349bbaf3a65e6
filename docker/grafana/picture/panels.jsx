// The page: a dashboard's panels, drawn by Grafana's components. `draw` is called by draw.mjs.
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import { createRoot } from "react-dom/client";
import { flushSync } from "react-dom";
import { createTheme, dateTime, getFieldDisplayValues, ThemeContext } from "@grafana/data";
import { BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { frames } from "./frames.js";

const theme = createTheme({ colors: { mode: "dark" } });
const GAP = 8; // of Grafana's grid, as its cells of 30
const CELL = 30;

function Stat({ panel, data, width, height, range }) {
  const { options, fieldConfig } = panel;
  const values = () => getFieldDisplayValues({
    data, fieldConfig, theme, reduceOptions: options.reduceOptions, replaceVariables: (text) => text, timeZone: "utc",
    sparkline: options.graphMode !== "none",
  });
  return (
    <VizRepeater
      getValues={values} source={data} renderCounter={0} width={width} height={height} orientation="auto" autoGrid
      renderValue={({ value, width, height }) => (
        <BigValue
          value={value.display} sparkline={value.sparkline && { ...value.sparkline, timeRange: range }}
          colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode}
          textMode={options.textMode} width={width} height={height} theme={theme}
        />
      )}
    />
  );
}

function NoData({ panel, width, height }) {
  const text = panel.fieldConfig.defaults.noValue ?? "No data";
  const style = { width, height, display: "grid", placeContent: "center", color: theme.colors.text.secondary };
  return <div style={style}>{text}</div>;
}

function Content({ panel, data, width, height, range }) {
  if (panel.type === "stat") return <Stat {...{ panel, data, width, height, range }} />;
  if (!data.some((frame) => frame.length > 0)) return <NoData {...{ panel, width, height }} />;
  if (panel.type === "table") {
    const { sortBy, showHeader, cellHeight } = panel.options;
    return <TableNG data={data[0]} width={width} height={height} noHeader={!showHeader} initialSortBy={sortBy} cellHeight={cellHeight} />;
  }
  if (panel.type === "timeseries") {
    return <TimeSeries frames={data} width={width} height={height} timeRange={range} timeZone="utc" legend={panel.options.legend} options={panel.options} />;
  }
  throw new Error(`${panel.title}: a panel of type ${panel.type} cannot be drawn`);
}

function Panel({ panel, data, place, range }) {
  const style = { position: "absolute", ...place };
  if (panel.type === "row") {
    return <div style={{ ...style, display: "flex", alignItems: "center", fontWeight: 500, fontSize: 16 }}>{panel.title}</div>;
  }
  return (
    <div style={style}>
      <PanelChrome title={panel.title} description={panel.description} width={place.width} height={place.height} padding={panel.type === "table" ? "none" : "md"}>
        {(width, height) => <Content {...{ panel, data, width, height, range }} />}
      </PanelChrome>
    </div>
  );
}

let root;

/** Draws the panels that are shown; returns the height that they take. */
window.draw = async ({ dashboard, shown, range, width }) => {
  const first = Math.min(...shown.map(({ panel }) => panel.gridPos.y));
  const column = (width - GAP) / 24;
  const place = ({ x, y, w, h }) => ({
    left: GAP + x * column, width: w * column - GAP, top: GAP + (y - first) * (CELL + GAP), height: h * (CELL + GAP) - GAP,
  });
  const times = { from: dateTime(range.from * 1000), to: dateTime(range.to * 1000) };
  const timeRange = { ...times, raw: times };
  const panels = await Promise.all(shown.map(async ({ panel, answers }) => ({ panel, data: await frames(panel, answers, theme) })));
  root ??= createRoot(document.getElementById("dashboard"));
  flushSync(() => root.render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {panels.map(({ panel, data }) => <Panel key={panel.id} panel={panel} data={data} place={place(panel.gridPos)} range={timeRange} />)}
    </ThemeContext.Provider>,
  ));
  document.title = dashboard.title;
  return GAP + Math.max(...shown.map(({ panel }) => place(panel.gridPos).top + place(panel.gridPos).height));
};
