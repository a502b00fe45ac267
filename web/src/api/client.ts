// SPDX-License-Identifier: Apache-2.0
// The one place that speaks HTTP.
import type { Problem } from './types';

const base = '/api/v1';

/** What the server answered instead of a body; status 0 where it did not answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly parameter: string | undefined;
  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.status = problem.status;
    this.parameter = problem.parameter;
  }
}

export type Params = Record<string, string | string[] | undefined>;

/** The address of a route with its query; empty values are left out. */
export function address(route: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one) query.append(name, one);
  }
  const text = query.toString();
  return `${base}/${route}${text ? `?${text}` : ''}`;
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = { title: response.statusText || 'Error', status: response.status };
  if (!response.headers.get('content-type')?.includes('json')) return new ApiError(fallback);
  return new ApiError((await response.json().catch(() => fallback)) as Problem);
}

async function call(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...init });
  } catch (cause) {
    if ((cause as Error).name === 'AbortError') throw cause;
    throw new ApiError({
      title: 'No answer',
      status: 0,
      detail: 'The recommender does not answer. Is it still running?',
    });
  }
  if (response.ok || response.status === 304) return response;
  throw await problemOf(response);
}

export interface Answer<T> {
  /** Absent where nothing changed since the etag that was sent. */
  body?: T;
  etag: string | undefined;
}

export async function get<T>(url: string, signal: AbortSignal, etag?: string): Promise<Answer<T>> {
  const response = await call(url, { signal, headers: etag ? { 'If-None-Match': etag } : {} });
  if (response.status === 304) return { etag };
  return { body: (await response.json()) as T, etag: response.headers.get('etag') ?? undefined };
}

/** The text of a route that gives no JSON. */
export const getText = async (url: string) => (await call(url, {})).text();

export async function post<T>(
  url: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const response = await call(url, {
    method: 'POST',
    ...(signal ? { signal } : {}),
    headers: { 'Content-Type': 'application/json', 'X-Netcinch': 'page' },
    body: JSON.stringify(body),
  });
  return response.status === 204 ? undefined : ((await response.json()) as T);
}

/** Exchanges the page's token for a cookie that scripts cannot read. */
export const openSession = (token: string) => post(address('session'), { token });
