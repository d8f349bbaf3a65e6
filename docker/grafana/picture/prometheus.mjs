// Asks Prometheus what Grafana would ask for a dashboard.

async function ask(address, path, parameters) {
  const response = await fetch(`${address}/api/v1/${path}`, { method: "POST", body: new URLSearchParams(parameters) });
  const answer = await response.json();
  if (answer.status !== "success") throw new Error(`${path} ${JSON.stringify(parameters)}: ${answer.error}`);
  return answer.data.result;
}

/** A length of time such as Prometheus and Grafana write it (15s, 1m), in seconds. */
export function seconds(text) {
  const [, number, unit] = text.match(/^(\d+)(s|m|h)$/) ?? [];
  if (!number) throw new Error(`${text} is no length of time`);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit];
}

/** Steps as Grafana chooses them: no finer than the points that fit, nor than the data source's interval. */
function step(range, points, interval) {
  const least = Math.max((range.to - range.from) / points, interval);
  return [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].find((nice) => nice >= least) ?? Math.ceil(least);
}

function expression(target, range, step, interval) {
  // Grafana's documentation of $__rate_interval: at least four scrapes.
  const variables = {
    __rate_interval: `${Math.max(step + interval, 4 * interval)}s`,
    __range: `${Math.round(range.to - range.from)}s`,
    instance: ".+",
  };
  return target.expr.replace(/\$(\w+)/g, (whole, name) => {
    if (!(name in variables)) throw new Error(`${target.expr}: what is ${whole}?`);
    return variables[name];
  });
}

/** The answers to a panel's targets, in their order: `{target, step, result}`. */
export async function answers(address, panel, range, points, interval) {
  return Promise.all((panel.targets ?? []).map(async (target) => {
    const seconds = step(range, points, interval);
    const query = expression(target, range, seconds, interval);
    const [from, to] = [range.from, range.to].map((time) => Math.floor(time / seconds) * seconds);
    const result = target.instant
      ? await ask(address, "query", { query, time: range.to })
      : await ask(address, "query_range", { query, start: from, end: to, step: seconds });
    return { target, step: seconds, result };
  }));
}
