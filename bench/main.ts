import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fleet } from './fleet/fleet.ts'
import { harm } from './harm/harm.ts'
import { installPeers } from './install.ts'
import { layers } from './layers/layers.ts'
import { overhead } from './overhead/overhead.ts'
import { toHtml } from './report/html.ts'
import { machine } from './report/machine.ts'
import { progressOn, type Progress } from './report/progress.ts'
import { figuresOf, type Report, type Section } from './report/report.ts'
import { PARTS, type PartName } from './part-names.ts'
import { toTerminal } from './report/terminal.ts'
import { scale } from './scale/scale.ts'
import { scenarios } from './scenarios/scenarios.ts'
import type { Settings } from './settings.ts'
import { INVARIANTS, judge, TARGETS } from './targets.ts'

const RUN: Readonly<Record<PartName, (settings: Settings, progress: Progress) => Promise<Section>>> = {
  overhead, layers, scale, scenarios, harm, fleet,
}

/** Dozens of children read the same sources; compiled once, they start twice as fast. */
const CACHE = fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

/**
 * Runs the parts that were asked for, and reports. A figure that falls short is reported and no more; what must hold on
 * every machine (all of it was measured, the counts per call) makes the exit code 1.
 */
export async function main(settings: Settings): Promise<number> {
  const { stdout, stderr } = process
  process.env['NODE_COMPILE_CACHE'] ??= CACHE
  installPeers(line => stderr.write(`${line}\n`))
  const about = machine(settings, settings.parts.length === PARTS.length)
  const progress = progressOn(stderr)
  const sections: Section[] = []
  for (const part of settings.parts) sections.push(await RUN[part](settings, progress))

  const report: Report = { machine: about, sections, judged: judge(sections, TARGETS) }
  stdout.write(`${toTerminal(report, stdout.isTTY && !process.env['NO_COLOR'])}\n`)
  if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify(withoutPictures(report), null, 2)}\n`)
  if (settings.html !== undefined) writeFileSync(settings.html, toHtml(report))
  if (settings.svg !== undefined) writePictures(settings.svg, sections)

  const wrong = defects(sections)
  for (const defect of wrong) stderr.write(`error: ${defect}\n`)
  return wrong.length === 0 ? 0 : 1
}

/** JSON is for figures; what never happened, such as a return to health, is null there. */
const withoutPictures = (report: Report): Report =>
  ({ ...report, sections: report.sections.map(({ pictures: _, ...section }) => section) })

function writePictures(folder: string, sections: readonly Section[]): void {
  for (const { name, svg } of sections.flatMap(({ pictures = [] }) => pictures)) {
    writeFileSync(join(folder, `${name.replaceAll(/[^a-z0-9]+/g, '-')}.svg`), svg)
  }
}

/** What no machine may show. */
function defects(sections: readonly Section[]): string[] {
  const figures = figuresOf(sections)
  const unmeasured = [...figures].filter(([, value]) => Number.isNaN(value)).map(([name]) => `${name} was not measured`)
  const empty = sections.flatMap(({ tables }) => tables).filter(({ rows }) => rows.length === 0)
    .map(({ id }) => `${id} is empty`)
  const counted = judge(sections, INVARIANTS).filter(({ outcome }) => outcome === 'short')
    .map(({ what, value, bound }) => `${what}: ${value ?? 'none'}, must be ${bound}`)
  return [...unmeasured, ...empty, ...counted]
}
