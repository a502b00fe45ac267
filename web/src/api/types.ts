// SPDX-License-Identifier: Apache-2.0
// Short names for the generated types.
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Party = Schemas['Party'];
export type Edge = Schemas['Edge'];
export type EdgeEvidence = Schemas['EdgeEvidence'];
export type EdgeList = Schemas['EdgeList'];
export type EdgeState = Schemas['EdgeState'];
export type Graph = Schemas['Graph'];
export type GraphNode = Schemas['GraphNode'];
export type GraphEdge = Schemas['GraphEdge'];
export type Timeline = Schemas['Timeline'];
export type Side = Schemas['Side'];
export type Step = Schemas['Step'];
export type Verdict = Schemas['Verdict'];
export type Ref = Schemas['Ref'];
export type Excerpt = Schemas['Excerpt'];
export type Line = Schemas['Line'];
export type Policy = Schemas['Policy'];
export type PolicyList = Schemas['PolicyList'];
export type Usage = Schemas['Usage'];
export type Finding = Schemas['Finding'];
export type FindingList = Schemas['FindingList'];
export type Recommendation = Schemas['Recommendation'];
export type RecommendationList = Schemas['RecommendationList'];
export type Readiness = Schemas['Readiness'];
export type ReadyState = Schemas['ReadyState'];
export type WorkloadList = Schemas['WorkloadList'];
export type Workload = Schemas['Workload'];
export type Coverage = Schemas['Coverage'];
export type Losses = Schemas['Losses'];
export type Status = Schemas['Status'];
export type Meta = Schemas['Meta'];
export type Counters = Schemas['Counters'];
export type Problem = Schemas['Problem'];
export type ViewEvent = Schemas['ViewEvent'];
export type Replay = Schemas['Replay'];
export type Replayed = Schemas['Replayed'];
export type ReplayRequest = Schemas['ReplayRequest'];
