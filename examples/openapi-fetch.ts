import { createClient, type Client } from 'breakwater'
import createApi from 'openapi-fetch'

/** What `openapi-typescript` makes of the API's description; a piece of it, so that the example is whole. */
export interface paths {
  '/invoices/{id}': {
    get: {
      parameters: { path: { id: string } }
      responses: { 200: { content: { 'application/json': { total: number } } } }
    }
  }
}

/** An API typed by its description, whose calls have a breaker, retries and a deadline. */
export const paymentsApi = (client: Client, baseUrl: string): ReturnType<typeof createApi<paths>> =>
  createApi<paths>({ baseUrl, fetch: client.fetch })

if (import.meta.main) {
  const client = createClient({ deadline: 2_000 })
  const api = paymentsApi(client, 'http://localhost:4000')
  const { data, response } = await api.GET('/invoices/{id}', { params: { path: { id: '7' } } })
  console.log(response.status, data?.total)
  await client.close()
}
