import type { Answer, Question } from './parent.ts'

/** What a child can be asked to do. */
export type Tasks = Readonly<Record<string, (input: never) => unknown>>

/** Makes this process answer its parent's questions, one at a time, until the parent is gone. */
export function answer(tasks: Tasks): void {
  process.on('disconnect', () => process.exit())
  process.on('message', message => { void reply(tasks, message as Question) })
}

async function reply(tasks: Tasks, { id, task, input }: Question): Promise<void> {
  const send = (answer: Answer): void => { process.send?.(answer, undefined, undefined, () => undefined) }
  try {
    const run = tasks[task]
    if (run === undefined) throw new Error(`no task is called ${task}`)
    send({ id, value: await run(input as never) })
  } catch (error) {
    send({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
}
