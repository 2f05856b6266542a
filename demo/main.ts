import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Settings } from './options.ts'
import { chart } from './report/chart.ts'
import { disturbance, shortfalls } from './report/check.ts'
import { notes } from './report/notes.ts'
import { record } from './report/record.ts'
import { sentence } from './report/sentence.ts'
import { type ClientSummary, summarize } from './report/summary.ts'
import { table } from './report/table.ts'
import { duration, wrap } from './report/words.ts'
import { run } from './run.ts'
import { colorsFor } from './view/colors.ts'
import { viewFor } from './view/show.ts'

/** How often a check that failed on a busy machine is tried in all. */
const tries = 3

type Ending = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Runs the demo as the command line asked; settles with the exit code. */
export async function main(settings: Settings): Promise<number> {
  const stop = new AbortController()
  let ended: Ending | undefined
  const end = (signal: Ending): void => {
    ended = signal
    stop.abort(new Error(`stopped by ${signal}`))
  }
  const signals: readonly Ending[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, end)
  try {
    return await perform(settings, stop.signal)
  } catch (error) {
    process.stderr.write(`${ended ? 'stopped' : `error: ${error instanceof Error ? error.message : String(error)}`}\n`)
    return ended ? 128 + constants.signals[ended] : 1
  } finally {
    for (const signal of signals) process.off(signal, end)
  }
}

async function perform(settings: Settings, signal: AbortSignal): Promise<number> {
  for (let left = tries - 1; ; left -= 1) {
    const clients = await once(settings, signal)
    const verdict = settings.check ? judge(clients, left) : 0
    if (verdict !== 'again') return verdict
  }
}

/** One run: shows it, sums it up, writes the files asked for. */
async function once({ experiment, json, svg }: Settings, signal: AbortSignal): Promise<ClientSummary[]> {
  const { stdout } = process
  const colors = colorsFor(stdout)
  const view = viewFor(stdout, colors, process.env)
  try {
    const seen = await run(experiment, begun => { view.begin(begun) }, signal)
    view.end()
    const clients = seen.tracks.map(track => summarize(track, experiment.spans))
    const width = Math.min(stdout.columns || 100, 100)
    const words = [...clients.map(sentence), ...clients.flatMap(client => notes(client, experiment.rate))]
    stdout.write(`\n${table(clients, width, colors)}\n\n${words.map(text => wrap(text, width)).join('\n')}\n`)
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(record(seen, clients), null, 2)}\n`)
    if (svg !== undefined) writeFileSync(svg, chart(seen))
    return clients
  } finally {
    view.end()
  }
}

function judge(clients: readonly ClientSummary[], left: number): number | 'again' {
  const { stdout, stderr } = process
  const judged = clients.filter(client => client.name === 'breakwater')
  const short = judged.flatMap(shortfalls)
  if (short.length === 0) {
    stdout.write(`\n${colorsFor(stdout).green('check passed')}: what is promised of an outage was kept\n`)
    return 0
  }
  stderr.write(`\n${colorsFor(stderr).red('check failed')}:\n${short.map(text => `- ${text}\n`).join('')}`)
  const late = judged.map(disturbance).find(disturbed => disturbed !== undefined)
  if (late === undefined) return 1
  stderr.write(`the machine was busy: calls were made up to ${duration(late)} late, which proves nothing`)
  stderr.write(left > 0 ? '; trying again\n\n' : '\n')
  return left > 0 ? 'again' : 1
}
