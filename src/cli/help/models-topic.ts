/** `rotor help models`: which models there are, and what names stand for. Fits 80 columns. */
export const MODELS_TOPIC = `MODELS

    rotor model list                 what your accounts may use, with limits
    rotor model list --refresh       ask upstream now; else it is asked every
                                     few minutes, when somebody wants the list
    rotor model show NAME            one model, and what a name is sent as
    rotor model alias                names that stand for models
    rotor model alias set NAME MODEL
    rotor model alias remove NAME

A request gets the model that it asks for. A name that no account has may be
one of these, and is sent as what it stands for:

    gpt-5.5-high         gpt-5.5 with that effort, if upstream lists it for
                         the model: none, minimal, low, medium, high, xhigh,
                         max. The name's effort wins over the request's.
    gpt-5.5-fast         gpt-5.5 with service_tier "priority", where upstream
                         offers that; nothing else changes, and a tier that
                         the request names itself stays. Both: -high-fast.
    openai/gpt-5.5       gpt-5.5
    gpt-5.4-nano         the smallest model that is served
    an alias             what it was set to; an alias wins over a model's own
                         name, and ends at a model, never at another alias

A model whose name ends that way (gpt-5.1-codex-max) is itself.

    rotor setting set model_prefer_latest upstream     what upstream names as
                                                       a model's successor
    rotor setting set model_prefer_latest gpt-6-sol    in place of earlier GPT
                                                       models; not of mini,
                                                       nano, luna, spark, pro
    rotor setting reset model_prefer_latest            as asked (the default)

Whatever is not sent as asked is told: in the answer's header x-rotor-model,
in rotor exchange show, and by rotor model show. On Codex's routes only these
values of the request change, and only then.

GET /v1/models is the list for SDKs, with aliases; Codex gets upstream's own
bytes when all accounts were told the same, else one list of them all, with
the smaller context where they differ. While upstream does not answer, the
last good list stays. A client is shown what its key (--models) and its
profile allow. model_backfill says whether plugins may add to their
clients' own lists what those lack.`;
