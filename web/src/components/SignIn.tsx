// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { Button, Input, Label, TextField } from 'react-aria-components';
import { openSession } from '../api/client';

/** What somebody without a session sees. */
export function SignIn({ done }: { done: () => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState('');
  const enter = (event: FormEvent) => {
    event.preventDefault();
    openSession(token.trim()).then(done, (error: Error) => setProblem(error.message));
  };
  return (
    <main className="signin" data-testid="signin">
      <form onSubmit={enter}>
        <img src="/mark.svg" alt="" width="44" height="44" />
        <h1>Netcinch</h1>
        <p>Open the link that the recommender printed when it started, or paste its token.</p>
        <TextField value={token} onChange={setToken} type="password" isRequired autoFocus>
          <Label>Token</Label>
          <Input autoComplete="off" />
        </TextField>
        {problem && (
          <p className="bad" role="alert">
            {problem}
          </p>
        )}
        <Button type="submit" className="button primary">
          Enter
        </Button>
      </form>
    </main>
  );
}
