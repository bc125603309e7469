//! An order on its arrival, and as each vendor gets it.

use super::super::job::Rendered;
use super::super::visit::Visit;
use super::{Whereabouts, open};
use crate::access::Ticket;
use crate::chat::{Ability, Adapted};
use crate::config::{Caller, Provider, Snapshot, Target};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::translate::InPath;
use crate::wire::video::{self, Frame, Order};
use bytes::Bytes;
use http::HeaderValue;

/// An order that came in.
pub(in crate::proxy) struct Ordered {
    pub order: Order,
    /// Of a form.
    content_type: Option<HeaderValue>,
    /// What the video is made anew from.
    source: Option<Box<(Ticket, Whereabouts)>>,
}

/// Reads an order, and notes in the visit what it names.
///
/// # Errors
/// What is wrong with it; `UnknownVideo` where it is of a video that there is not.
pub(in crate::proxy) fn read(
    snapshot: &Snapshot,
    caller: &Caller,
    visit: &mut Visit,
    in_path: &InPath,
    content_type: Option<HeaderValue>,
    body: &Bytes,
) -> Result<Ordered> {
    let form = content_type.as_ref().and_then(|value| value.to_str().ok());
    let (order, source) = match &in_path.source {
        None => (Order::read(body, form)?, None),
        Some(id) => {
            let (ticket, place) = open(snapshot, &caller.key.tenant, id)?;
            let frame = ticket.frame.map(|(across, down)| Frame { across, down });
            let order = Order::remix(body, &ticket.model, Some(ticket.seconds), frame)?;
            (order, Some(Box::new((ticket, place))))
        }
    };
    visit.model = order.model.as_str().into();
    visit.resolution = order.frame.map(Frame::shorter);
    Ok(Ordered { order, content_type, source })
}

impl Ordered {
    /// The most that it may use.
    pub(in crate::proxy) fn bound(&self) -> Usage {
        self.order.bound()
    }

    /// Leaves of a plan what can make it: where it is made from another video, only where that is.
    ///
    /// # Errors
    /// `Unable` when no model of the plan makes videos, `UnknownModel` when the video's is gone.
    pub(in crate::proxy) fn keep_able(&self, plan: &mut Vec<Target>) -> Result<()> {
        let model = &self.order.model;
        if let Some((ticket, place)) = self.source.as_deref() {
            plan.retain(|target| {
                target.provider.name == place.provider.name
                    && *target.upstream_model == *ticket.upstream_model
            });
            if plan.is_empty() {
                let text = format!("The model `{model}` no longer makes this video's kind");
                return Err(Failure::new(Kind::UnknownModel, text).param("model"));
            }
            return Ok(());
        }
        plan.retain(|target| {
            target.card.as_ref().is_none_or(|card| !card.cannot.contains(Ability::VideoOutput))
        });
        if plan.is_empty() {
            let text = format!("The model `{model}` makes no videos.");
            return Err(Failure::new(Kind::Unable, text).param("model"));
        }
        Ok(())
    }

    /// Strikes out the credentials that do not see the video which it is made from.
    pub(in crate::proxy) fn exclude(&self, provider: &Provider, excluded: &mut [bool]) {
        let Some((_, place)) = self.source.as_deref() else { return };
        for (index, out) in excluded.iter_mut().enumerate() {
            *out |= place.provider.name != provider.name || place.credential != index;
        }
    }

    /// Where a vendor takes it.
    ///
    /// # Errors
    /// Where it makes no video from another one.
    pub(in crate::proxy) fn path(&self, provider: &Provider, row: &str, model: &str) -> Result<String> {
        let source = self.source.as_deref().map(|(_, place)| place.id.as_str());
        video::order_path(provider.vendor.films, row, model, source).map(Into::into)
    }

    /// As a vendor gets it.
    ///
    /// # Errors
    /// What it cannot be asked for.
    pub(in crate::proxy) fn render(
        &self,
        target: &Target,
        body: &Bytes,
        mut changes: Adapted,
    ) -> Result<Rendered> {
        let (films, model) = (target.provider.vendor.films, &*target.upstream_model);
        let json = HeaderValue::from_static("application/json");
        let own = video::order_out(films, &self.order, model, &mut changes)?;
        let adapted = changes.header().into_iter().collect();
        let form = self.content_type.as_ref();
        Ok(match (own, &self.source) {
            (Some(own), _) => Rendered::one(vec![own.into()], json, adapted),
            // It has its model from the video it is made from.
            (None, Some(_)) => Rendered::one(vec![body.clone()], json, adapted),
            (None, None) => {
                let text = form.and_then(|value| value.to_str().ok());
                let body = Order::passed(body, text, model)?;
                Rendered::one(body, form.cloned().unwrap_or(json), adapted)
            }
        })
    }

    /// What the id says of a video that a vendor has taken on.
    pub(super) fn ticket(&self, visit: &Visit, id: &str) -> Ticket {
        Ticket {
            provider: visit.provider.to_string(),
            credential: visit.credential.to_string(),
            model: visit.model.to_string(),
            upstream_model: visit.upstream_model.to_string(),
            id: id.to_owned(),
            seconds: u32::try_from(self.bound().milliseconds / 1_000).unwrap_or(u32::MAX),
            frame: self.order.frame.map(|frame| (frame.across, frame.down)),
            at: visit.at,
        }
    }
}
