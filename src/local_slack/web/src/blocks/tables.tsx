// `table` and `data_table` blocks.

import type { Part } from "../types";
import { RichText } from "./rich_text";
import { Unknown } from "./unknown";

export function Table({ block }: { block: Part }) {
  const [head, ...rows]: Part[][] = block.rows;
  const settings: (Part | null)[] = block.column_settings ?? [];
  const classOf = (cell: Part, column: number): string => {
    const align = settings[column]?.align ?? (cell.type === "raw_number" ? "right" : "left");
    return settings[column]?.is_wrapped ? `${align} wrapped` : align;
  };
  return (
    <div class="table" role="region" tabIndex={0} aria-label={block.caption ?? "Table"}>
      <table>
        {block.caption && <caption>{block.caption}</caption>}
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th key={i} scope="col" class={classOf(cell, i)}>
                <Cell cell={cell} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, j) => (
            <tr key={j}>
              {row.map((cell, i) => (
                <td key={i} class={classOf(cell, i)}>
                  <Cell cell={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ cell }: { cell: Part }) {
  if (cell.type === "rich_text") return <RichText block={cell} />;
  if (cell.type === "raw_text" || cell.type === "raw_number") {
    return <>{cell.text ?? String(cell.value)}</>;
  }
  return <Unknown kind={cell.type} />;
}
