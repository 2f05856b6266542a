import { createLogUpdate } from 'log-update'
import { totalOf } from '../phases.ts'
import type { Run } from '../run.ts'
import type { Colors } from './colors.ts'
import { frame } from './frame.ts'
import { line } from './lines.ts'
import { intro } from './text.ts'

/** Shows a run while it goes on. */
export interface View {
  begin(run: Run): void
  /** Leaves what is seen as it is and gives the terminal back; harmless when done twice. */
  end(): void
}

type Terminal = NodeJS.WriteStream

/** Redraws on a terminal that can be drawn on and is large enough; elsewhere writes a plain line per second. */
export const viewFor = (stream: Terminal, colors: Colors, env: NodeJS.ProcessEnv): View =>
  stream.isTTY && !env['CI'] && env['TERM'] !== 'dumb' && stream.columns >= 72 && stream.rows >= 22
    ? live(stream, colors)
    : plain(stream)

function live(stream: Terminal, colors: Colors): View {
  const update = createLogUpdate(stream)
  let timer: NodeJS.Timeout | undefined
  let draw = (): void => undefined
  return {
    begin: run => {
      draw = () => update(frame(run, stream.columns, colors).join('\n'))
      draw()
      timer = setInterval(draw, 125)
    },
    end: () => {
      clearInterval(timer)
      draw()
      draw = () => undefined
      update.done()
    },
  }
}

/** A line is written once the second's calls have met their deadline, so that it says what became of them. */
function plain(stream: Terminal): View {
  let timer: NodeJS.Timeout | undefined
  let draw = (): void => undefined
  return {
    begin: run => {
      const { spans, deadline } = run.experiment
      let second = 0
      stream.write(`breakwater demo: ${intro(run.experiment)}\n`)
      draw = () => {
        while (second + 1 <= totalOf(spans) / 1000 && run.elapsed() > (second + 1) * 1000 + deadline + 250) {
          second += 1
          stream.write(`${line(run, second)}\n`)
        }
      }
      timer = setInterval(draw, 100)
    },
    end: () => {
      clearInterval(timer)
      draw()
    },
  }
}
