//! Header fields that `http` has no names for. Made once: a name that is looked up by its text is
//! parsed and hashed each time.

use http::HeaderName;

/// How many calls were made for an answer.
pub(super) static ATTEMPTS: HeaderName = HeaderName::from_static("x-edgehold-attempts");

/// Anthropic's header for features that are being tried.
pub(super) static ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// By which clients of Anthropic's are known.
pub(super) static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Whether a number was estimated.
pub(super) static ESTIMATE: HeaderName = HeaderName::from_static("x-edgehold-estimate");

/// A client's own name for what it asks, by which it may ask again.
pub(super) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Whether a job had been accepted before.
pub(super) static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// How the job stands whose answer this is.
pub(super) static JOB: HeaderName = HeaderName::from_static("x-edgehold-job");

/// The event that a client saw last.
pub(super) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Where a request may be served, and where it was.
pub(super) static LOCALITY: HeaderName = HeaderName::from_static("x-edgehold-locality");

/// What a client would like (RFC 7240).
pub(super) static PREFER: HeaderName = HeaderName::from_static("prefer");

/// Which of that it gets.
pub(super) static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Which jobs go first.
pub(super) static PRIORITY: HeaderName = HeaderName::from_static("x-edgehold-priority");

/// Whether a result may still be bettered.
pub(super) static PROVISIONAL: HeaderName = HeaderName::from_static("x-edgehold-provisional");

/// Whether a better answer is wanted after the first.
pub(super) static REFINE: HeaderName = HeaderName::from_static("x-edgehold-refine");

/// Who answered.
pub(super) static TARGET: HeaderName = HeaderName::from_static("x-edgehold-target");

/// What a request is called in Anthropic's answers.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Whether a stream that does not follow its schema is to end with an error.
pub(super) static STRICT: HeaderName = HeaderName::from_static("x-edgehold-strict");

/// The time that the client has.
pub(super) static TIMEOUT: HeaderName = HeaderName::from_static("x-edgehold-timeout");

/// Fetch Metadata: which pages a browser's request comes from.
pub(super) static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// nginx's word for passing on what comes in pieces.
pub(super) static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Anthropic's place for a key.
pub(super) static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request is called in logs, the client's and ours.
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// OpenAI's word for whether its clients should try again.
pub(super) static X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
