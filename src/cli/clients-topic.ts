/** `rotor help clients`: what to tell Codex, OpenCode, SDKs and curl. Fits 80 columns. */
export const CLIENTS_TOPIC = `CLIENTS

The proxy speaks the OpenAI Responses API on 127.0.0.1:4747, and for programs
that know nothing newer Chat Completions (rotor help chat):

    /v1                    OpenAI SDKs, OpenCode, curl
    /backend-api/codex     the Codex CLI; its bytes pass untouched

Every request needs a client key (rotor key create NAME) as bearer token. The
exact stanzas, with the address of your daemon:

    rotor connect codex --print
    rotor connect opencode --print
    rotor connect shell --print
    rotor connect python --print
    rotor connect typescript --print

With curl:

    curl http://127.0.0.1:4747/v1/responses \\
      -H "authorization: Bearer $ROTOR_KEY" \\
      -H "content-type: application/json" \\
      -d '{"model":"gpt-5.5","input":"Say hello.","stream":true}'

Background responses ("background": true) are off until somebody says
rotor setting set background_responses on; they are fetched, streamed, canceled
and deleted by id, and kept in memory for an hour.

Every exchange's answer names it in x-rotor-exchange; rotor exchange show ID
tells which account served it and why.`;
