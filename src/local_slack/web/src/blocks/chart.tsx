// `data_visualization` blocks: bars, lines, areas and pies, with their numbers as a table.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Part } from "../types";
import { Unknown } from "./unknown";

const HEIGHT = 220;
const LEFT = 38;
const TOP = 12;
const BASE = HEIGHT - 28;
const LABEL_ROOM = 34;

interface Series {
  name: string;
  values: number[];
}

export function Chart({ block }: { block: Part }) {
  const { chart, title } = block;
  if (!["bar", "line", "area", "pie"].includes(chart.type)) return <Unknown kind={chart.type} />;
  const isPie = chart.type === "pie";
  const names: string[] = isPie
    ? chart.segments.map((one: Part) => one.label)
    : chart.axis_config.categories;
  const series: Series[] = isPie
    ? [{ name: "", values: chart.segments.map((one: Part) => one.value) }]
    : chart.series.map((one: Part) => readSeries(one, names));
  const legend = isPie ? names : series.map((one) => one.name);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      {isPie ? (
        <Pie values={series[0].values} names={names} title={title} />
      ) : (
        <Axes kind={chart.type} names={names} series={series} title={title} axis={chart.axis_config} />
      )}
      <div class="legend">
        {legend.map((name, i) => (
          <span key={name}>
            <i class={`key color-${i}`} />
            {name}
          </span>
        ))}
      </div>
      <details>
        <summary>Numbers</summary>
        <Numbers names={names} series={series} />
      </details>
    </figure>
  );
}

function readSeries(one: Part, names: string[]): Series {
  const found = new Map<string, number>(one.data.map((point: Part) => [point.label, point.value]));
  return { name: one.name, values: names.map((name) => found.get(name) ?? 0) };
}

function Axes(props: { kind: string; names: string[]; series: Series[]; title: string; axis: Part }) {
  const { kind, names, series, title, axis } = props;
  const [ref, width] = useWidth();
  const highest = Math.max(0, ...series.flatMap((one) => one.values));
  const lowest = Math.min(0, ...series.flatMap((one) => one.values));
  const step = niceStep((highest - lowest || 1) / 4);
  const top = Math.max(step, Math.ceil(highest / step) * step);
  const bottom = Math.floor(lowest / step) * step;
  const y = (value: number) => BASE - ((value - bottom) / (top - bottom)) * (BASE - TOP);
  const slot = (width - LEFT) / names.length;
  const center = (i: number) => LEFT + (i + 0.5) * slot;
  const every = Math.ceil(LABEL_ROOM / slot);
  const lines = Array.from({ length: Math.round((top - bottom) / step) + 1 }, (_, i) => bottom + i * step);
  return (
    <div ref={ref}>
      <svg width={width} height={HEIGHT} role="img" aria-label={title}>
        {lines.map((value) => (
          <g key={value}>
            <line class={value === 0 ? "zero" : "grid"} x1={LEFT} x2={width} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 6} y={y(value) + 4} text-anchor="end">
              {shorten(value)}
            </text>
          </g>
        ))}
        {names.map((name, i) =>
          i % every ? null : (
            <text key={i} x={center(i)} y={BASE + 17} text-anchor="middle">
              {name}
            </text>
          ),
        )}
        {series.map((one, i) =>
          kind === "bar" ? (
            <Bars key={i} number={i} of={series.length} one={one} {...{ names, slot, center, y }} />
          ) : (
            <Line key={i} number={i} one={one} isArea={kind === "area"} {...{ names, center, y }} />
          ),
        )}
      </svg>
      <div class="axis">{[axis.y_label, axis.x_label].filter(Boolean).join(" · ")}</div>
    </div>
  );
}

interface Drawn {
  number: number;
  one: Series;
  names: string[];
  center: (i: number) => number;
  y: (value: number) => number;
}

function Bars({ number, of, one, names, slot, center, y }: Drawn & { of: number; slot: number }) {
  const width = Math.min(18, (slot * 0.76) / of);
  return (
    <>
      {one.values.map((value, i) => {
        const top = Math.min(y(value), y(0));
        const height = value ? Math.max(1.5, Math.abs(y(value) - y(0))) : 0;
        const x = center(i) - (width * of) / 2 + width * number;
        return (
          <rect key={i} class={`color-${number}`} x={x + 0.5} y={top} width={Math.max(1, width - 1)} height={height} rx={Math.min(2, width / 4)}>
            <title>{`${names[i]} · ${one.name}: ${value.toLocaleString()}`}</title>
          </rect>
        );
      })}
    </>
  );
}

function Line({ number, one, names, center, y, isArea }: Drawn & { isArea: boolean }) {
  const points = one.values.map((value, i) => `${center(i)},${y(value)}`);
  const ends = [`${center(one.values.length - 1)},${y(0)}`, `${center(0)},${y(0)}`];
  return (
    <>
      {isArea && <polygon class={`area color-${number}`} points={[...points, ...ends].join(" ")} />}
      <polyline class={`line color-${number}`} points={points.join(" ")} />
      {one.values.map((value, i) => (
        <circle key={i} class={`color-${number}`} cx={center(i)} cy={y(value)} r={3}>
          <title>{`${names[i]} · ${one.name}: ${value.toLocaleString()}`}</title>
        </circle>
      ))}
    </>
  );
}

function Pie({ values, names, title }: { values: number[]; names: string[]; title: string }) {
  const whole = values.reduce((sum, one) => sum + one, 0);
  let turned = 0;
  return (
    <svg class="pie" viewBox="-1.05 -1.05 2.1 2.1" width={180} height={180} role="img" aria-label={title}>
      {values.map((value, i) => {
        const share = value / whole;
        const from = turned;
        turned += share;
        const label = <title>{`${names[i]}: ${value.toLocaleString()}`}</title>;
        if (share >= 1) return <circle key={i} class={`color-${i}`} r={1}>{label}</circle>;
        const at = (part: number) => `${Math.sin(2 * Math.PI * part)} ${-Math.cos(2 * Math.PI * part)}`;
        const d = `M0 0L${at(from)}A1 1 0 ${share > 0.5 ? 1 : 0} 1 ${at(turned)}Z`;
        return <path key={i} class={`color-${i}`} d={d}>{label}</path>;
      })}
    </svg>
  );
}

function Numbers({ names, series }: { names: string[]; series: Series[] }) {
  return (
    <div class="table" role="region" tabIndex={0} aria-label="Numbers of the chart">
      <table>
        <thead>
          <tr>
            <th scope="col" />
            {series.map((one) => (
              <th key={one.name} scope="col" class="right">
                {one.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name, i) => (
            <tr key={i}>
              <th scope="row">{name}</th>
              {series.map((one) => (
                <td key={one.name} class="right">
                  {one.values[i].toLocaleString()}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function useWidth(): [preact.RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useLayoutEffect(() => {
    const node = ref.current!;
    const observer = new ResizeObserver(() => setWidth(Math.max(120, node.clientWidth)));
    setWidth(Math.max(120, node.clientWidth));
    observer.observe(node);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** 1, 2 or 5 times a power of ten, at least as much. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10);
  return Math.max(step, Number.isInteger(rough * 4) ? 1 : 0);
}

function shorten(value: number): string {
  return new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}
